"""Epochs of whole optimiser steps."""

from collections.abc import Iterator
from itertools import islice

from mmaction.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Sampler

from pmd_mmaction.arguments import Whole, checked


@DATA_SAMPLERS.register_module()
class WholeStepBatchSampler(BatchSampler):
    """Drops the last batches of an epoch that do not complete a step.

    In MVD's code their gradients join the first step of the next epoch. Incomplete batches are
    dropped, too (``drop_last``). Different videos are dropped in each epoch.

    Args:
        sampler: sampler of the videos. The Runner fills it in.
        batch_size: videos per batch. The Runner fills it in.
        accumulative_counts: batches per optimiser step, as in ``optim_wrapper``.

    Raises:
        ValueError: for an invalid number.
    """

    @checked
    def __init__(self, sampler: Sampler, batch_size: Whole, accumulative_counts: Whole) -> None:
        super().__init__(sampler, batch_size, drop_last=True)
        self.accumulative_counts = accumulative_counts

    def __iter__(self) -> Iterator[list[int]]:
        return islice(super().__iter__(), len(self))

    def __len__(self) -> int:
        return super().__len__() // self.accumulative_counts * self.accumulative_counts
