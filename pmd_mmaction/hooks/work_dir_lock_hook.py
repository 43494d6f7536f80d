"""One training at a time in a work directory."""

import platform
import time
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop

from pmd_mmaction.hooks.main_process import from_main_process
from pmd_mmaction.storage.directory_lock import NAME, DirectoryLock

# A network file system keeps the lock of a node that went down for a while.
PATIENCE, PAUSE = 120.0, 5.0  # seconds


@HOOKS.register_module()
class WorkDirLockHook(Hook):
    """Refuses a training in a work directory that another one is writing to.

    Two of them, such as a job that was queued twice, would overwrite each other's checkpoints and
    difficulty tables. The lock ends with the process, however it ends; that of another node is
    waited for, since it may be down. Where a file system knows no locks, nothing is refused.

    Raises:
        ValueError: in ``before_run`` of a training, naming the process that holds the lock.
    """

    priority = 'VERY_HIGH'  # before hooks write anything

    def __init__(self) -> None:
        self._lock = DirectoryLock()

    def before_run(self, runner) -> None:
        """Takes the lock; a test or a validation needs none."""
        if not isinstance(runner._train_loop, BaseLoop) or self._lock.is_taken:
            return
        holder = from_main_process(lambda: self._take_patiently(runner))
        if holder is not None:
            raise ValueError(
                f'another training, {holder}, is writing to {runner.work_dir}: stop it or wait for '
                'its end, or choose another --work-dir. If its node is gone, remove '
                f'{Path(runner.work_dir, NAME)}'
            )

    def _take_patiently(self, runner) -> str | None:
        """Takes the lock, waiting while a process of another node has it; None, or who has it."""
        begin, waited = time.monotonic(), False
        while (holder := self._lock.take(Path(runner.work_dir))) is not None:
            if holder.endswith(f' on {platform.node()}') or time.monotonic() > begin + PATIENCE:
                break
            if not waited:
                runner.logger.info(f'Waiting up to {PATIENCE:.0f} s for the lock of {holder}')
                waited = True
            time.sleep(PAUSE)
        return holder

    def after_run(self, runner) -> None:
        """Gives the lock back."""
        self._lock.release()
