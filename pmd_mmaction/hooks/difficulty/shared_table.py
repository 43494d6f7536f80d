"""One difficulty table per node, shared by its ranks, and the communication that keeps it current.

The rows of iteration t are transferred in the background: `write` gathers them on the device and
starts a copy to pinned memory, `bring_up` waits for it at the start of iteration t + 1, when it has
long arrived, and stores them. There is no barrier; the gathers order the ranks:

1. Every rank holds the rows of all ranks, and can store any of them. A row of iteration t comes
   out with the same bytes whichever rank stores it, and however often: its masked patches are the
   mean over all copies of the video in that iteration, the others are unchanged.
2. Each rank does, in this order: `bring_up(videos of t)`, its reads of iteration t, the gather of
   t. In `bring_up` it stores its share of the rows of t - 1 (a video belongs to one rank of the
   node, by its index), and those of the videos that it is about to read.
3. A rank that has the rows of t knows that all have entered the gather of t: all have stored their
   shares of t - 1, and no rank reads for iteration t any more. So no rank stores rows of t while
   another still reads for t.
4. What a rank reads for t + 1 is therefore the newest: rows of t - 1 and before are in the table
   by 3, rows of t it stores itself by 2. By 1, a neighbour that stores the same row at that moment
   writes the bytes that are already there; no rank has rows of t + 1 before this rank joins their
   gather, after its reads.

This holds however close copies of a video are: in one batch (repeated augmentation), in consecutive
batches, in the padding of an epoch's last batch, or across the boundary of two epochs. An iteration
without a gather (its losses were not finite, on every rank) changes nothing: the rows before it are
kept.

`complete` stores all pending rows. Each rank on its own then has the whole table in the state of
the last iteration, so that saving needs no communication; a change of the whole table (at the end
of a stage) has a barrier before it, since late stores would corrupt it, and one after it.
"""

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Sequence

import numpy as np
import torch
from mmengine.dist import (
    all_gather,
    all_gather_object,
    barrier,
    broadcast_object_list,
    get_rank,
    get_world_size,
)
from torch import Tensor

from pmd_mmaction.dare import DifficultyTable, check_finite, infinite_rows
from pmd_mmaction.dare.scratch_file import scratch_directories
from pmd_mmaction.transfer import HostCopy, send


@dataclass
class TableShare:
    """A rank's part in the table of its node.

    Attributes:
        table: the table.
        place: index of this rank among those that map the table, in ``[0, sharers)``.
        sharers: number of ranks that map it.
        directory: where its scratch file was; None: in the memory of this process.
    """

    table: DifficultyTable
    place: int = 0
    sharers: int = 1
    directory: Path | None = None
    _coming: HostCopy | None = field(default=None, init=False, repr=False)
    _arrived: tuple[np.ndarray, np.ndarray] | None = field(default=None, init=False, repr=False)

    @property
    def owner(self) -> bool:
        """Whether this rank does what is done once per node."""
        return self.place == 0

    def write(self, sample_idx: Sequence[int], rows: Tensor) -> None:
        """Starts the transfer of all ranks' smoothed losses. Collective, without waiting.

        Args:
            sample_idx: the B videos of this rank.
            rows: ``(B, K, N)`` their smoothed losses, see :func:`pack_rows`.

        Raises:
            ValueError: as `bring_up`, which it calls for an iteration that read nothing.
        """
        self.bring_up()
        # Each rank checks only its own rows and tells the others which are bad.
        videos = send(torch.tensor(sample_idx), rows.device)
        clips = torch.stack([videos, infinite_rows(rows)], 1)
        self._coming = HostCopy(*(torch.cat(all_gather(part)) for part in (clips, rows)))

    def bring_up(self, sample_idx: Sequence[int] = ()) -> None:
        """Stores this rank's share of the last rows, and all rows of some videos.

        Args:
            sample_idx: the videos that this rank reads next.

        Raises:
            ValueError: on every rank, if a value of any rank was not finite; none is stored.
        """
        if self._coming is not None:
            coming, self._coming, self._arrived = self._coming, None, None
            clips, rows = coming.wait()
            videos, infinite = clips.T
            check_finite(videos, infinite)
            self._arrived = videos, rows
            self.table.write_rows(videos, rows, self.place, self.sharers)
        if self._arrived is not None and self.sharers > 1:
            videos, rows = self._arrived
            needed = np.isin(videos, sample_idx)
            self.table.write_rows(videos[needed], rows[needed])

    def complete(self) -> None:
        """Stores all pending rows, so that this rank sees the complete table.

        Raises:
            ValueError: as `bring_up`.
        """
        self.bring_up()
        if self._arrived is not None and self.sharers > 1:
            self.table.write_rows(*self._arrived)
        self._arrived = None


def create_shared_table(
    num_videos: int, num_teachers: int, num_patches: int, dtype: str, scratch_dir: str | None
) -> TableShare:
    """Creates the table on each node, or attaches to the one that another rank created.

    The scratch file is unlinked as soon as every rank has mapped it, so a killed job leaves
    nothing behind.

    Args:
        num_videos: number of rows.
        num_teachers: number of teachers K.
        num_patches: number of patches N.
        dtype: ``'float16'`` or ``'float32'``.
        scratch_dir: node-local directory; None: the memory of a process that is alone, else shared
            memory or the temporary directory.

    Returns:
        The table and this rank's part in it.

    Raises:
        OSError: if there is not enough space.
    """
    sizes = (num_videos, num_teachers, num_patches, dtype)
    if get_world_size() == 1 and scratch_dir is None:
        return TableShare(DifficultyTable.create(None, *sizes))
    name = [f'pmd-difficulty-{uuid.uuid4().hex}']
    broadcast_object_list(name)
    table, path = _create_first(scratch_directories(scratch_dir), name[0], sizes)
    created = table is not None
    try:
        barrier()  # now the creator's file is complete
        if table is None:
            table = DifficultyTable.attach(path)
        # Not the local rank: what counts is which ranks map the same file. Waits for all of them.
        identities = all_gather_object(table.identity)
    finally:
        if created:
            table.unlink()
    sharers = [rank for rank, other in enumerate(identities) if other == table.identity]
    return TableShare(table, sharers.index(get_rank()), len(sharers), path.parent)


def _create_first(
    directories: list[str], name: str, sizes: tuple
) -> tuple[DifficultyTable | None, Path]:
    """Creates the file unless another rank of the node has already done so."""
    for directory in directories:
        path = Path(directory) / name
        if path.exists():  # before create() checks for free space, which the owner has taken
            return None, path
        try:
            return DifficultyTable.create(path, *sizes), path
        except FileExistsError:
            return None, path
        except OSError:
            if path.exists():  # the owner took the space meanwhile
                return None, path
            if directory == directories[-1]:
                raise
    raise AssertionError('unreachable: the last directory returns or raises')
