"""One difficulty table per node, shared by its ranks."""

import tempfile
import uuid
from pathlib import Path

from mmengine.dist import barrier, broadcast_object_list, get_world_size

from pmd_mmaction.dare import DifficultyTable


def create_shared_table(
    num_videos: int, num_teachers: int, num_patches: int, dtype: str, scratch_dir: str | None
) -> tuple[DifficultyTable, bool]:
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
        The table, and whether this rank owns it: owners do the work that is done once.

    Raises:
        OSError: if there is not enough space.
    """
    sizes = (num_videos, num_teachers, num_patches, dtype)
    if get_world_size() == 1:
        return DifficultyTable.create(None, *sizes), True
    name = [f'pmd-difficulty-{uuid.uuid4().hex}']
    broadcast_object_list(name)
    directories = [scratch_dir] if scratch_dir else ['/dev/shm', tempfile.gettempdir()]
    table, path = _create_first(directories, name[0], sizes)
    barrier()  # now the owner's file is complete
    owner = table is not None
    if table is None:
        table = DifficultyTable.attach(path)
    barrier()  # now everybody has mapped it
    if owner:
        table.unlink()
    return table, owner


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
