"""One difficulty table per node, shared by its ranks, and what they send to each other for it.

Order of events, for a video that one rank shows in iteration t and any rank in iteration t + 1:

1. Every rank reads its rows, computes, and enters the gather of iteration t.
2. A rank leaves the gather when all have entered it: nobody reads old rows any more. It writes its
   share of the batch. A video belongs to one share, by its index, so its row has one writer, which
   sees all copies of it that were in the batch, whichever rank showed them.
3. The barrier at the end of `write`: all shares are written before anybody reads rows again.

So the values of iteration t are what iteration t + 1 reads, however close copies of a video lie: in
one batch (repeated augmentation), in consecutive batches, in the padding of an epoch's last batch,
or at the seam of two epochs. Saving needs no further barrier: after `write` the table is complete,
and no other rank can write before the saving rank joins the next gather.
"""

import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

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

from pmd_mmaction.dare import DifficultyTable, check_finite, infinite_rows, pack_rows


@dataclass(frozen=True)
class TableShare:
    """A rank's part in the table of its node.

    Attributes:
        table: the table.
        place: of this rank among those that map the table, in ``[0, sharers)``.
        sharers: how many ranks map it.
    """

    table: DifficultyTable
    place: int = 0
    sharers: int = 1

    @property
    def owner(self) -> bool:
        """Whether this rank does the work that is done once per node."""
        return self.place == 0

    def write(self, sample_idx: Sequence[int], masked_index: Tensor, smoothed: Tensor) -> None:
        """Writes the smoothed losses of all ranks. Collective; on return the table is complete.

        Args:
            sample_idx: the B videos of this rank.
            masked_index: ``(B, M)`` masked patches.
            smoothed: ``(B, K, M)`` their smoothed losses.

        Raises:
            ValueError: on every rank, if a value of any rank is not finite.
        """
        rows = pack_rows(masked_index, smoothed, self.table.layout)
        # Each rank looks at its own rows only, and tells the others which are bad.
        clips = torch.stack([torch.tensor(sample_idx, device=rows.device), infinite_rows(rows)], 1)
        clips, rows = (torch.cat(all_gather(part)) for part in (clips, rows))
        videos, infinite = clips.cpu().unbind(1)
        check_finite(videos, infinite)
        self.table.write_rows(videos, rows, self.place, self.sharers)
        barrier()


def create_shared_table(
    num_videos: int, num_teachers: int, num_patches: int, dtype: str, scratch_dir: str | None
) -> TableShare:
    """Creates the table on each node, or attaches to the one a neighbour rank created.

    The scratch file loses its name as soon as every rank has mapped it, so a killed job leaves
    nothing behind.

    Args:
        num_videos: rows.
        num_teachers: K.
        num_patches: N.
        dtype: ``'float16'`` or ``'float32'``.
        scratch_dir: node-local directory; None tries shared memory, then the temporary
            directory.

    Returns:
        The table and this rank's part in it.

    Raises:
        OSError: if there is not enough space.
    """
    sizes = (num_videos, num_teachers, num_patches, dtype)
    if get_world_size() == 1:
        return TableShare(DifficultyTable.create(None, *sizes))
    name = [f'pmd-difficulty-{uuid.uuid4().hex}']
    broadcast_object_list(name)
    directories = [scratch_dir] if scratch_dir else ['/dev/shm', tempfile.gettempdir()]
    table, path = _create_first(directories, name[0], sizes)
    barrier()  # now the creator's file is complete
    created = table is not None
    if table is None:
        table = DifficultyTable.attach(path)
    # Not the local rank: what counts is who maps the same file. Also waits until all have.
    identities = all_gather_object(table.identity)
    if created:
        table.unlink()
    sharers = [rank for rank, other in enumerate(identities) if other == table.identity]
    return TableShare(table, sharers.index(get_rank()), len(sharers))


def _create_first(
    directories: list[str], name: str, sizes: tuple
) -> tuple[DifficultyTable | None, Path]:
    """Creates the file unless another rank of the node was faster."""
    for directory in directories:
        path = Path(directory) / name
        if path.exists():  # before create() looks for free space, which the owner has taken
            return None, path
        try:
            return DifficultyTable.create(path, *sizes), path
        except FileExistsError:
            return None, path
        except OSError:
            if path.exists():  # it is the owner that took the space meanwhile
                return None, path
            if directory == directories[-1]:
                raise
    raise AssertionError('unreachable: the last directory returns or raises')
