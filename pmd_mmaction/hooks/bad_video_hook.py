"""Training continues without videos that cannot be read."""

from __future__ import annotations

from pathlib import Path

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.arguments import Rate, Whole, checked
from pmd_mmaction.hooks.unwrapped_datasets import plain_datasets
from pmd_mmaction.storage.atomic_file import write_table

FILE = 'bad_videos.csv'


@HOOKS.register_module()
class BadVideoHook(Hook):
    """Lets training continue without unreadable videos, up to a given fraction.

    Other videos take their place (``SubstituteBadVideos``). The log names each bad video once per
    run, resumes included, and counts those of the current epoch as ``bad_videos``;
    ``bad_videos.csv`` in the work directory lists all of them. If an epoch has too many, the run
    ends on all ranks together. Validation and test never replace a video.

    Args:
        max_bad_fraction: fraction of the videos in the data set that may be bad in one epoch; one
            video always may, unless it is 0.
        interval: iterations between exchanges of findings among the ranks; there is also one at
            the end of each epoch.

    Raises:
        ValueError: for a fraction outside [0, 1) or an interval below 1.
    """

    priority = 'NORMAL'  # before the log (BELOW_NORMAL) and the checkpoint (VERY_LOW)

    @checked
    def __init__(self, max_bad_fraction: Rate = 0.01, interval: Whole = 100) -> None:
        self.max_bad_fraction = max_bad_fraction
        self.interval = interval
        self._known: dict[str, dict] = {}  # file name -> problem, last epoch; equal on all ranks
        self._found: dict[str, str] = {}  # file name -> problem; of this rank, not yet exchanged

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Restores the known bad videos."""
        self._known = dict(checkpoint.get('bad_videos', {}))

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Saves the known bad videos (called by the main process)."""
        checkpoint['bad_videos'] = self._known

    def before_train(self, runner) -> None:
        """Forgets the bad videos of an earlier run if only its weights are used."""
        if runner.iter == 0:
            self._known = {}
        if not _tolerant_datasets(runner):
            runner.logger.warning(
                f'{type(runner.train_dataloader.dataset).__name__} does not replace bad videos: '
                'the first one will end the run. PathListDataset does'
            )

    def before_train_epoch(self, runner) -> None:
        """Switches substitution on."""
        for dataset in _tolerant_datasets(runner):
            dataset.substitute_bad_videos(runner.seed or 0, runner.epoch)
        self._log_number(runner)

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Records the bad videos of the batch; every ``interval`` the ranks exchange them."""
        for sample in data_batch['data_samples']:
            self._found.update(sample.metainfo.get('bad_videos', ()))
        last = self.end_of_epoch(runner.train_dataloader, batch_idx)
        if last or self.every_n_train_iters(runner, self.interval):
            self._exchange(runner)

    def _exchange(self, runner) -> None:
        news = {}
        for found in all_gather_object(self._found):
            news |= found
        self._found = {}
        unknown = {name: problem for name, problem in news.items() if name not in self._known}
        for name, problem in news.items():
            self._known[name] = dict(problem=problem, epoch=runner.epoch)
        self._log_number(runner)
        if news and is_main_process():
            for name, problem in unknown.items():
                # repr, since a name may contain line breaks or bytes that are not UTF-8
                runner.logger.warning(f'Bad video {name!r}, another one is used instead: {problem}')
            write_bad_videos(Path(runner.work_dir) / FILE, self._known)
        self._stop_if_too_many(runner)

    def _of_this_epoch(self, runner) -> list[str]:
        return [name for name, entry in self._known.items() if entry['epoch'] == runner.epoch]

    def _log_number(self, runner) -> None:
        runner.message_hub.update_scalar('train/bad_videos', len(self._of_this_epoch(runner)))

    def _stop_if_too_many(self, runner) -> None:
        bad, total = self._of_this_epoch(runner), len(runner.train_dataloader.dataset)
        # Divided, not multiplied: 0.29 * 100 is less than 29.
        few = len(bad) <= 1 and self.max_bad_fraction > 0
        if few or len(bad) / total <= self.max_bad_fraction:
            return
        listed = ''.join(f'\n  {name!r}: {self._known[name]["problem"]}' for name in bad[:20])
        raise RuntimeError(
            f'{len(bad)} of {total} videos could not be read in epoch {runner.epoch + 1}, more '
            f'than max_bad_fraction={self.max_bad_fraction} allows:{listed}\n'
            f'{Path(runner.work_dir) / FILE} lists all of them. Repair the files and resume, or '
            'set a larger max_bad_fraction in BadVideoHook. tools/data/check_videos.py writes a '
            'list without bad videos, for a run from scratch: checkpoints belong to their list'
        )


def write_bad_videos(path: Path, known: dict[str, dict]) -> None:
    """Writes path, problem and last epoch (from 1) of bad videos as CSV.

    Args:
        path: the file; it appears complete or not at all.
        known: file name to ``problem`` and ``epoch`` (from 0).
    """
    rows = ([name, entry['problem'], entry['epoch'] + 1] for name, entry in known.items())
    write_table(path, [['path', 'problem', 'epoch'], *rows])


def _tolerant_datasets(runner) -> list:
    return [
        dataset
        for dataset in plain_datasets(runner.train_dataloader.dataset)
        if hasattr(dataset, 'substitute_bad_videos')
    ]
