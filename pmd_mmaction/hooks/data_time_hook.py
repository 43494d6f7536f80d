"""Warns when training waits for its data."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.arguments import Share, checked


@HOOKS.register_module()
class DataTimeHook(Hook):
    """Warns after each epoch in which the steps waited for data for too long.

    Reads the ``data_time`` and ``time`` that ``IterTimerHook`` measures. The first iteration of
    an epoch does not count: it starts the workers.

    Args:
        max_share: fraction of the time that may be spent waiting, in [0, 1].

    Raises:
        ValueError: if it is outside [0, 1].
    """

    priority = 'LOW'  # after IterTimerHook

    @checked
    def __init__(self, max_share: Share = 0.2) -> None:
        self.max_share = max_share

    def before_train_epoch(self, runner) -> None:
        """Resets the sums."""
        self.waited = self.total = 0.0

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Adds the times of the iteration."""
        if batch_idx > 0:
            self.waited += runner.message_hub.get_scalar('train/data_time').current()
            self.total += runner.message_hub.get_scalar('train/time').current()

    def after_train_epoch(self, runner) -> None:
        """Warns."""
        if self.waited > self.max_share * self.total:
            runner.logger.warning(
                f'{self.waited / self.total:.0%} of this epoch was spent waiting for data '
                f'(data_time; {self.max_share:.0%} are tolerated). Remedies: raise '
                'train_dataloader.num_workers up to the cores per GPU; keep '
                'persistent_workers=True; make smaller copies with frequent key frames '
                "(tools/data/resize_videos.py); decode with reader='pyav' "
                '(benchmarks/data_pipeline.py measures it); use a faster disk'
            )
