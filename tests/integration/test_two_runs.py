"""Two runs at the same time, on the same clips, in two work directories."""

import time
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.integration import processes, tiny

NAMES = ('one', 'other')
KEYS = ('state_dict', 'optimizer', 'param_schedulers', 'pmd', 'dare')


@HOOKS.register_module(force=True)
class Meet(Hook):
    """Waits in each epoch until the other run has come as far, so both are alive all the time.

    Args:
        name: of this run, one of ``NAMES``.
        place: directory in which the runs tell each other.
    """

    def __init__(self, name: str, place: str) -> None:
        self.name, self.place = name, Path(place)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if batch_idx > 0:
            return
        (self.place / f'{self.name}_{runner.epoch}').touch()
        end = time.monotonic() + processes.TIMEOUT
        while not all((self.place / f'{name}_{runner.epoch}').exists() for name in NAMES):
            assert time.monotonic() < end, 'the other run is gone'
            time.sleep(0.002)


def _train(clips: Path, place: Path, name: str) -> None:
    cfg = tiny.tiny_config(
        clips,
        place / name,
        dict(type='Meet', name=name, place=str(place)),
        train_dataloader__num_workers=2,
        train_dataloader__persistent_workers=True,
    )
    tiny.train(cfg)


def test_two_runs_at_the_same_time_end_as_one_alone(clips, finished, tmp_path):
    started = [
        processes.start(_train, tmp_path / f'{name}.log', clips, tmp_path, name) for name in NAMES
    ]
    try:
        for process, name in zip(started, NAMES):
            processes.succeeds(process, tmp_path / f'{name}.log')
    finally:
        for process in started:
            process.kill()  # one that waits for one that is gone
    alone = Path(finished[1].work_dir)
    end = tiny.read_checkpoint(alone / 'epoch_9.pth')
    files = [end['dare']['file'], *(f'phase_{k}_student.pth' for k in (1, 2, 3))]
    kept = sorted(path.name for path in alone.iterdir() if path.is_file())
    for name in NAMES:
        run = tmp_path / name
        other = tiny.read_checkpoint(run / 'epoch_9.pth')
        assert [key for key in KEYS if not tiny.same(end[key], other[key])] == []
        for file in files:
            assert (run / file).read_bytes() == (alone / file).read_bytes(), file
        assert sorted(path.name for path in run.iterdir() if path.is_file()) == kept
