"""Difficulty tables on disk, each next to the checkpoint that names it."""

import re
from pathlib import Path
from typing import Iterable

from pmd_mmaction.dare import table_file
from pmd_mmaction.storage.digest import sha256_of

_TABLE = re.compile(r'difficulty_epoch_(\d+)_iter_(\d+)\.table')
_CHECKPOINT = re.compile(r'(epoch|iter)_(\d+)\.pth$')


def table_name(epoch: int, iteration: int) -> str:
    """Name of the table that belongs to a checkpoint of this epoch and iteration."""
    return f'difficulty_epoch_{epoch}_iter_{iteration}.table'


def prune_tables(directory: Path, keep: str | None = None) -> None:
    """Removes the tables whose checkpoints are gone.

    A table belongs to every ``*epoch_E.pth`` and ``*iter_I.pth`` of its epoch or iteration.

    Args:
        directory: directory of the checkpoints and tables.
        keep: name of a table to keep: its checkpoint is about to be written.
    """
    found = (_CHECKPOINT.search(path.name) for path in directory.glob('*.pth'))
    kept = {match.groups() for match in found if match}
    for path in directory.glob('difficulty_*.table'):
        match = _TABLE.fullmatch(path.name)
        if match is None or path.name == keep:
            continue
        epoch, iteration = match.groups()
        if ('epoch', epoch) not in kept and ('iter', iteration) not in kept:
            path.unlink()


def table_damage(path: Path, digest: str) -> str | None:
    """How a table differs from the one that a checkpoint names; None if it does not.

    Args:
        path: the table.
        digest: the digest in the checkpoint.
    """
    try:
        info = table_file.inspect(path)
    except (OSError, ValueError) as error:
        return str(error)
    found = sha256_of(path, info.header_bytes + info.layout.nbytes)
    if found == info.digest == digest:
        return None
    return f'{path} has the digest {found[:12]}..., the checkpoint names {digest[:12]}...'


def find_table(name: str, directories: Iterable[Path]) -> Path:
    """The table a checkpoint names.

    Raises:
        ValueError: if it is in none of the directories.
    """
    directories = list(dict.fromkeys(Path(d) for d in directories))
    for directory in directories:
        if (directory / name).is_file():
            return directory / name
    raise ValueError(
        f'the checkpoint names the difficulty table {name}, which is in none of '
        f'{[str(d) for d in directories]}: copy it next to the checkpoint, resume from another '
        'checkpoint, or start afresh from the weights alone with load_from and resume=False'
    )
