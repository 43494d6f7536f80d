"""A file that appears complete or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_writer(path: str | os.PathLike, size: int | None = None) -> Iterator[BinaryIO]:
    """Writes a file so that neither an error nor a crash can leave a partial one under its name.

    The bytes go to ``<name>.tmp`` in the same directory, which takes the name when they have
    reached the disk. An error removes it; after a kill the next attempt overwrites it, because its
    name is always the same, so partial files do not pile up. One process may write at a time.

    Args:
        path: The file to create or to replace.
        size: Bytes that it needs, for the message if they are not there.

    Yields:
        The file to write to.

    Raises:
        OSError: If the file cannot be written; an older one of this name is intact. Without space
            (`NO_SPACE`) it names the file, the bytes that it needs and those that are free.
    """
    path = Path(path)
    temporary = path.with_name(path.name + '.tmp')
    try:
        with open(temporary, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            raise _without_space(error, path, size) from error
        raise
    _sync_directory(path.parent)


def _without_space(error: OSError, path: Path, size: int | None) -> OSError:
    """The same error, with what was to be written and what is free."""
    need = '' if size is None else f'it needs {size:,} bytes, '
    free = shutil.disk_usage(path.parent).free
    return OSError(
        error.errno,
        f'{os.strerror(error.errno)}: {path} was not written; {need}{free:,} bytes are free there',
    )


def _sync_directory(path: Path) -> None:
    """Makes a rename survive a power cut."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
