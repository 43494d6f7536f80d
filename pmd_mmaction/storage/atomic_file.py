"""Atomic writing of files."""

from __future__ import annotations

import csv
import errno
import io
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_writer(path: str | os.PathLike, size: int | None = None) -> Iterator[BinaryIO]:
    """Writes a file atomically: neither an error nor a crash leaves a partial file.

    The bytes go to ``<name>.tmp`` in the same directory, which is renamed once they are on disk. An
    error removes it; after a kill the next attempt overwrites it, since its name is always the
    same, so partial files do not pile up. Only one process may write at a time.

    Args:
        path: The file to create or replace.
        size: Bytes that it needs, for the message if the disk is full.

    Yields:
        The file to write to.

    Raises:
        OSError: If the file cannot be written; an older file of this name is intact. On a full
            disk (`NO_SPACE`) it names the file, the bytes needed and the bytes free.
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


def write_file(path: str | os.PathLike, content: bytes | memoryview) -> None:
    """Writes a whole file with :func:`atomic_writer`."""
    with atomic_writer(path, len(content)) as file:
        file.write(content)


def write_table(path: str | os.PathLike, rows: Iterable[Sequence]) -> None:
    """Writes rows as a CSV file; names that are not UTF-8 keep their bytes."""
    table = io.StringIO(newline='')
    csv.writer(table).writerows(rows)
    write_file(path, table.getvalue().encode('utf-8', 'surrogateescape'))


def _without_space(error: OSError, path: Path, size: int | None) -> OSError:
    """The same error, with the file, the bytes needed and the bytes free."""
    need = '' if size is None else f'it needs {size:,} bytes, '
    free = shutil.disk_usage(path.parent).free
    return OSError(
        error.errno,
        f'{os.strerror(error.errno)}: {path} was not written; {need}{free:,} bytes are free there',
    )


def _sync_directory(path: Path) -> None:
    """Makes a rename survive a power cut, where the file system can."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:  # the file is in place; some file systems do not support it
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)
