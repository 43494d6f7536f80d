"""Checks that all nodes share the work directory that the main process writes to."""

import os
import platform
import time
import uuid
from pathlib import Path

from mmengine.dist import all_gather_object, is_main_process

from pmd_mmaction.hooks.main_process import from_main_process

PATIENCE = 30.0  # seconds until a network file system shows a new file
PAUSE = 0.2


def require_shared_directory(directory: Path, patience: float = PATIENCE) -> None:
    """Refuses a run in which a rank does not see the main process's directory. Collective.

    The main process writes a file of a random name there, and every rank looks for it.

    Args:
        directory: the work directory, as this rank sees it.
        patience: seconds to look for the file.

    Raises:
        ValueError: on every rank, naming the nodes and directories without it.
    """
    name, error = from_main_process(lambda: _write(directory))
    if error is not None:
        raise ValueError(f'the main process cannot write to its work directory: {error}')
    here = f'{directory.absolute()} on {platform.node()}'
    unseen = all_gather_object(None if _appears(directory / name, patience) else here)
    if is_main_process():
        (directory / name).unlink(missing_ok=True)
    unseen = sorted(set(filter(None, unseen)))
    if unseen:
        raise ValueError(
            'the work directory is not the same for all processes: what the main process writes '
            f'does not appear in {", ".join(unseen)}. Give --work-dir a directory that all nodes '
            'share, such as an absolute path on a network file system (docs/scaling.md)'
        )


def _write(directory: Path) -> list[str | None]:
    """Name of the new file and None, or None and the reason."""
    name = f'.shared_{uuid.uuid4().hex}'
    try:
        (directory / name).touch()
    except OSError as error:
        return [None, str(error)]
    return [name, None]


def _appears(path: Path, patience: float) -> bool:
    """Waits for a file; a listing makes a network file system look again."""
    end = time.monotonic() + patience
    while not path.exists():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE)
        if path.parent.is_dir():
            os.listdir(path.parent)
    return True
