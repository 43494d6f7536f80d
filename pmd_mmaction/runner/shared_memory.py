"""Shared memory needed on a node: batches of the workers, and the difficulty table."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

SHARED_MEMORY = Path('/dev/shm')
GIB = 2**30


class SharedMemory(NamedTuple):
    """Shared memory needed on one node.

    Attributes:
        batch: bytes of one batch; None if no batch has been seen.
        prefetch: batches that a worker prefetches.
        workers: workers per rank.
        ranks: ranks on the node.
        table: bytes of the difficulty table, if it is kept there.
    """

    batch: int | None
    prefetch: int
    workers: int
    ranks: int
    table: int = 0

    @property
    def total(self) -> int:
        """Total number of bytes."""
        return self.ranks * self.workers * self.prefetch * (self.batch or 0) + self.table

    @property
    def remedy(self) -> str:
        """Remedy if there is not enough."""
        size = -(-self.total * 9 // 8 // GIB)  # plus an eighth for the batch in transit
        return (
            f'enlarge {SHARED_MEMORY} (docker: --shm-size={max(size, 1)}g), lower num_workers or '
            'prefetch_factor of train_dataloader'
            + (', or give DAREHook a scratch_dir on a local disk' if self.table else '')
        )

    def __str__(self) -> str:
        size = 'of unknown size' if self.batch is None else f'of {self.batch / GIB:.2f} GiB'
        text = f'{self.ranks} rank(s) x {self.workers} workers x {self.prefetch} batches {size}'
        if self.table:
            text += f' + {self.table / GIB:.2f} GiB of difficulty table'
        return text if self.batch is None else f'{text} = {self.total / GIB:.2f} GiB'


def describe_free_space() -> str:
    """Size of the shared memory, and how much of it is free."""
    if not SHARED_MEMORY.is_dir():
        return f'there is no {SHARED_MEMORY}'
    usage = shutil.disk_usage(SHARED_MEMORY)
    return f'{SHARED_MEMORY} has {usage.total / GIB:.2f} GiB, {usage.free / GIB:.2f} GiB free'


def bytes_of(batch: object) -> int:
    """Bytes of all tensors in nested dicts and lists: what goes through shared memory."""
    if isinstance(batch, Tensor):
        return batch.nbytes
    if isinstance(batch, Mapping):
        return sum(map(bytes_of, batch.values()))
    return sum(map(bytes_of, batch)) if isinstance(batch, (list, tuple)) else 0
