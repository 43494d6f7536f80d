"""Atomic checkpoints, and resuming from the newest complete one."""

from pathlib import Path
from typing import Annotated, Any

from mmengine.dist import get_world_size, is_main_process, master_only
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, FlexibleRunner

from pmd_mmaction.arguments import Check, Count, Options, Texts, require_keys, whole
from pmd_mmaction.hooks.checkpoints import atomic_backend, batch_change
from pmd_mmaction.hooks.checkpoints.averaged_weights import restore_trained_weights
from pmd_mmaction.hooks.checkpoints.checkpoint_files import (
    can_be_found,
    claim_checkpoint,
    file_damage,
    list_checkpoints,
    newest_complete,
    note_beginning,
    note_checkpoint,
    remove_unfinished,
    require_training_state,
)
from pmd_mmaction.hooks.checkpoints.config_change import warn_of_changes
from pmd_mmaction.hooks.checkpoints.schedule_change import adapt_schedulers
from pmd_mmaction.hooks.checkpoints.shared_directories import require_shared_directories
from pmd_mmaction.hooks.difficulty.table_names import prune_tables
from pmd_mmaction.hooks.main_process import from_main_process
from pmd_mmaction.optim.resuming import regroup_schedulers
from pmd_mmaction.storage.disk_full import remedy_if_disk_full

KEPT = 'kept_checkpoints'
# interval=-1 saves only the last, max_keep_ckpts=-1 keeps all
_Number = Annotated[int, Check(whole().words, lambda value: value == -1 or whole().fits(value))]
_Directory = Annotated[str | Path, Check('a directory', lambda x: isinstance(x, (str, Path)))]
_Template = Annotated[
    str,
    Check(
        "like 'epoch_{}.pth' or 'iter_{}.pth', by which a resumed run finds its checkpoints",
        lambda x: isinstance(x, str) and '{}' in x and can_be_found(x.replace('{}', '1')),
    ),
]
OPTIONS = {
    **dict.fromkeys(('interval', 'max_keep_ckpts'), _Number),
    **dict.fromkeys(('by_epoch', 'save_optimizer', 'save_param_scheduler', 'save_last'), bool),
    **dict.fromkeys(('backend_args', 'file_client_args'), Options | None),
    **dict.fromkeys(('save_best', 'rule', 'greater_keys'), Texts | None),
    **dict.fromkeys(('less_keys', 'published_keys'), Texts | None),
    'save_begin': Count,
    'out_dir': _Directory | None,
    'filename_tmpl': _Template | None,
}


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook`` for runs that may be killed at any moment.

    - A checkpoint is written to a temporary file, synced and renamed; older ones are removed only
      once it is complete.
    - ``last_checkpoint`` is relative to its directory, which may be moved.
    - A run with ``resume=True`` starts from the newest checkpoint that is undamaged and has its
      difficulty table and auxiliary teacher; a path given explicitly is refused if it is damaged.
      The main process decides for all ranks.
    - A checkpoint records the epoch length, so that it can be resumed inside an epoch or with
      another total batch (see :func:`batch_change.adapt_checkpoint`).

    Args:
        **kwargs: those of ``CheckpointHook``. ``backend_args`` other than the default leave
            atomicity to that store.

    Raises:
        TypeError: for an argument that ``CheckpointHook`` does not have.
        ValueError: for one that makes no sense.
    """

    def __init__(self, **kwargs: Any) -> None:
        # The parent accepts anything, and fails or saves nothing hours later.
        require_keys(self, OPTIONS, options=kwargs)
        if '://' in str(kwargs.get('out_dir')):
            raise ValueError(
                f'SafeCheckpointHook: out_dir is {kwargs["out_dir"]}, but a run is resumed from a '
                "disk: mount the store, or set default_hooks.checkpoint.type='CheckpointHook' and "
                'leave PreemptionHook and DAREHook out'
            )
        if kwargs.get('backend_args') is None:
            kwargs['backend_args'] = dict(backend=atomic_backend.NAME)
        super().__init__(**kwargs)
        self._kept: list[str] = []
        self._beginning: Path | None = None
        self._saved_at: int | None = None

    # ------------------------------------------------------------------ start

    def before_run(self, runner) -> None:
        """Checks that all nodes share their directories; chooses the checkpoint to resume from.

        Raises:
            TypeError: under a ``FlexibleRunner``.
            ValueError: for a checkpoint that is damaged, or a directory that is not shared.
        """
        if isinstance(runner, FlexibleRunner):
            raise TypeError(
                'SafeCheckpointHook works with the Runner only: FlexibleRunner has loaded its '
                'checkpoint before hooks are asked, and overwrites files in place. Set '
                "default_hooks.checkpoint.type='CheckpointHook' and leave PreemptionHook out "
                '(docs/scaling.md)'
            )
        if get_world_size() > 1:
            require_shared_directories(runner)
        # of `--resume`, which each rank has looked into the directory for
        runner._resume, runner._load_from = from_main_process(
            lambda: (runner._resume, runner._load_from)
        )
        begins = isinstance(runner._train_loop, BaseLoop) and runner.iter == 0
        if not runner._resume:
            if begins:  # not a test, nor a validation after the training, which overwrite nothing
                self._begin_afresh(runner)
            return
        if runner._has_loaded:  # what the training began from may be gone
            return
        path, error = from_main_process(lambda: self._choose(runner))
        if error is not None:
            raise ValueError(error)
        if runner._load_from is not None and '://' not in path:
            self._beginning = Path(path).resolve()  # noted once it has been accepted
        if path is None:
            runner.logger.info(f'No checkpoint in {runner.work_dir}: starting from scratch')
            runner._resume = False
            self._begin_afresh(runner)
        runner._load_from = path

    @staticmethod
    def _begin_afresh(runner) -> None:
        """Warns if a run from scratch is about to overwrite an earlier one."""
        if is_main_process():
            note_beginning(Path(runner.work_dir), None)
        directory = Path(runner.work_dir)
        earlier = [*list_checkpoints(directory), *sorted(directory.glob('phase_*_student.pth'))]
        if earlier:
            runner.logger.warning(
                f'{directory} has files of an earlier run, such as {earlier[0].name}. This run '
                'starts from scratch and overwrites them one by one: stop it if you meant to '
                'resume (--resume), or choose another --work-dir'
            )

    @staticmethod
    def _choose(runner) -> tuple[str | None, str | None]:
        """The path to resume from, and the problem if there is one."""
        given = runner._load_from
        try:
            if given is None:
                found = newest_complete(Path(runner.work_dir), runner.logger.warning)
                return found and str(found), None
            if '://' in str(given):
                return str(given), None
            path = Path(given).expanduser()
            if not path.is_file():
                return None, f'there is no checkpoint {path}: check load_from'
            damage = file_damage(path)
        except (OSError, ValueError) as error:
            return None, str(error)
        return str(path), damage and f'{damage}: resume from the checkpoint before it'

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Converts the checkpoint to the current batches; logs other differences.

        Raises:
            ValueError: for a checkpoint that holds weights only.
        """
        if runner._resume:
            require_training_state(checkpoint, runner)
            restore_trained_weights(checkpoint, runner)
            regroup_schedulers(checkpoint, runner)
            batch_change.adapt_checkpoint(checkpoint, runner)
            adapt_schedulers(checkpoint, runner)
            warn_of_changes(checkpoint, runner)
            if self._beginning is not None and is_main_process():
                # so that a restart ignores the files of the attempt that was given up
                note_beginning(Path(runner.work_dir), self._beginning)

    def before_train(self, runner) -> None:
        """Finds the checkpoint directory and the checkpoints kept in it."""
        position = runner.iter - runner.epoch * len(runner.train_dataloader)
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        if by_epoch and position and not getattr(runner.train_loop, 'resumes_mid_epoch', False):
            raise ValueError(
                f'the checkpoint was saved after {position} iterations of an epoch, where a '
                f'{type(runner.train_loop).__name__} cannot start: set '
                "train_cfg.type='ResumableTrainLoop'"
            )
        super().before_train(runner)
        if not (self.save_optimizer and self.save_param_scheduler):
            runner.logger.warning(
                'save_optimizer=False or save_param_scheduler=False: this run cannot be resumed, '
                'neither after a preemption nor by a rollback'
            )
        if is_main_process():
            remove_unfinished(Path(self.out_dir))
        ids = getattr(self, 'keep_ckpt_ids', ())  # from a run that began with CheckpointHook
        names = [self.filename_tmpl.format(step) for step in ids]
        self._forget_best_elsewhere()
        info = runner.message_hub.runtime_info
        self._kept = list(info.get(KEPT, names))
        self._saved_at = None

    def _forget_best_elsewhere(self) -> None:
        """The best checkpoint of a run that this one goes on from stays where it is."""
        if getattr(self, 'best_ckpt_path', None):
            self.best_ckpt_path = self._own(self.best_ckpt_path)
        for key, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            self.best_ckpt_path_dict[key] = path and self._own(path)

    def after_train(self, runner) -> None:
        """Publishes what there is, which may be no better one than in the run before."""
        best = getattr(self, 'best_ckpt_path_dict', {})
        self.best_ckpt_path_dict = {key: path for key, path in best.items() if path}
        super().after_train(runner)

    def _own(self, path: str) -> str | None:
        """A file of this name in the run's own directory, which may have been moved."""
        own = self.file_backend.join_path(self.out_dir, Path(path).name)
        return own if self.file_backend.isfile(own) else None

    # ------------------------------------------------------------------ saving

    def save_now(self, runner, iteration: int) -> str:
        """Saves a checkpoint now, after ``iteration`` iterations of the run.

        Returns:
            Path to the checkpoint.
        """
        if self._saved_at != iteration:
            name = f'epoch_{runner.epoch}_iter_{iteration}.pth'
            if not self.by_epoch:
                name = self.filename_tmpl.format(iteration)
            self._write(runner, name, dict(epoch=runner.epoch, iter=iteration))
        return self.last_ckpt

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Records the epoch length."""
        checkpoint[batch_change.PROGRESS_KEY] = batch_change.batch_arithmetic(runner)

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        self._write(runner, self.filename_tmpl.format(step), meta)

    def _write(self, runner, name: str, meta: dict) -> None:
        """Updates ``last_checkpoint``, writes and prunes, in this order."""
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        self._kept = [other for other in self._kept if other != name] + [name]
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.message_hub.update_info(KEPT, list(self._kept))
        iteration = meta['iter']
        with remedy_if_disk_full():
            if is_main_process():
                note_checkpoint(Path(runner.work_dir), self.last_ckpt)
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
            )
        if is_main_process():
            claim_checkpoint(Path(runner.work_dir), name)
        self._saved_at = iteration
        self._prune()

    def _prune(self) -> None:
        """Removes the oldest checkpoints, now that the new one is complete.

        Any number of ranks can go on from the end of an epoch, so the newest such one stays.
        """
        surplus = len(self._kept) - self.max_keep_ckpts if self.max_keep_ckpts > 0 else 0
        whole = [name for name in self._kept if '_iter_' not in name][-1:]
        gone = [name for name in self._kept[: max(surplus, 0)] if name not in whole]
        self._kept = [name for name in self._kept if name not in gone]
        self._remove([self.file_backend.join_path(self.out_dir, name) for name in gone])
        if gone and is_main_process():
            prune_tables(Path(self.out_dir))

    @master_only
    def _remove(self, paths: list) -> None:
        for path in paths:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        """As the parent, but removes the previous best only once the new one is complete."""
        if not self.save_best:
            return  # also for validation without training, which has no file_backend
        if not isinstance(self.file_backend, atomic_backend.AtomicLocalBackend):
            super()._save_best_checkpoint(runner, metrics)
            return
        self.file_backend.waiting = []
        try:
            with remedy_if_disk_full():
                super()._save_best_checkpoint(runner, metrics)
        finally:
            waiting, self.file_backend.waiting = self.file_backend.waiting, None
        best = {getattr(self, 'best_ckpt_path', None)}
        best |= set(getattr(self, 'best_ckpt_path_dict', {}).values())
        self._remove([path for path in waiting if str(path) not in best])
