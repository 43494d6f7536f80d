"""Warns when training waits for its data."""

from __future__ import annotations

import math

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.arguments import Share, checked
from pmd_mmaction.cpu_cores import count_cores


def workers_needed(workers: int, waited: float, total: float) -> int:
    """Workers of a data loader that would deliver a batch as often as a step needs one.

    Where steps wait, the loader gives a batch in ``total`` seconds, while its workers are busy; a
    step alone takes ``total - waited``. So ``workers x total / (total - waited)``, rounded up.

    Args:
        workers: of the loader; 0: the main process loads, for as long as the steps wait.
        waited: seconds that the steps waited, below ``total``.
        total: seconds that they took.
    """
    busy = workers * total if workers else waited
    return math.ceil(busy / (total - waited))


@HOOKS.register_module()
class DataTimeHook(Hook):
    """Warns after each epoch in which the steps waited for data for too long.

    Reads the ``data_time`` and ``time`` that ``IterTimerHook`` measures, and says how many cores
    would be enough (:func:`workers_needed`). The first iteration of an epoch does not count: it
    starts the workers, or waits for one of them to load a whole batch, however many there are.

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
        self._first = True

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Adds the times of the iteration."""
        first, self._first = self._first, False  # a resumed epoch begins at any batch_idx
        if not first:
            self.waited += runner.message_hub.get_scalar('train/data_time').current()
            self.total += runner.message_hub.get_scalar('train/time').current()

    def after_train_epoch(self, runner) -> None:
        """Warns."""
        if self.waited > self.max_share * self.total:
            runner.logger.warning(
                f'{self.waited / self.total:.0%} of this epoch was spent waiting for data '
                f'(data_time; {self.max_share:.0%} are tolerated). {self._cores(runner)}. '
                'Remedies: raise train_dataloader.num_workers up to the cores per GPU; keep '
                'persistent_workers=True; make smaller copies with frequent key frames '
                "(tools/data/resize_videos.py); decode with reader='pyav' "
                '(benchmarks/data_pipeline.py measures it); use a faster disk'
            )

    def _cores(self, runner) -> str:
        """The cores that this run needs, for the warning."""
        now, ranks = runner.train_dataloader.num_workers, get_world_size()
        here = count_cores()
        if self.waited >= self.total:  # clocks are coarse
            return f'A step takes no time beside its data; {here} cores are here'
        needed = workers_needed(now, self.waited, self.total)
        return (
            f'This run needs about {ranks * needed} cores for its data, {needed} workers for each '
            f'of {ranks} rank(s), if each of its {now} workers had a core for itself; {here} cores '
            'are on this machine'
        )
