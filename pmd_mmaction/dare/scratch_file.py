"""The scratch file through which the processes of one node map the same table.

The file is one page with magic and layout, then the two arrays. Its space is *reserved* at
creation, not left sparse: storing to a hole of a mapped file when the file system (typically
/dev/shm, which the data loaders fill too) has run full kills the process with SIGBUS, hours into a
run and without a message. The reservation turns that into an ordinary error at the start. It costs
no memory that would not be used anyway, since one epoch of random masks touches every page, and
writes no data: on a disk it allocates unwritten extents, on tmpfs it takes the pages. A file system
that cannot reserve gets a sparse file and the check of its free space only.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import shutil
import tempfile
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from pmd_mmaction.dare.layout import TableLayout

HEADER_BYTES = 4096
_MAGIC = b'PMDSCR02'
SHARED_MEMORY = '/dev/shm'
_CANNOT_RESERVE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class Scratch(NamedTuple):
    """A mapped scratch file.

    Attributes:
        layout: Size and number format of its table.
        memory: Shared, writable mapping: ``HEADER_BYTES`` bytes of header, then the arrays.
        identity: Random name, the same in every process that maps this file and in no other.
    """

    layout: TableLayout
    memory: mmap.mmap
    identity: str


def scratch_directories(scratch_dir: str | None) -> list[str]:
    """Directories for the scratch file, the first with enough space is taken.

    Args:
        scratch_dir: the user's choice, or None.
    """
    return [scratch_dir] if scratch_dir else [SHARED_MEMORY, tempfile.gettempdir()]


def create_scratch(path: str | os.PathLike, layout: TableLayout) -> Scratch:
    """Creates a scratch file full of zeros and maps it.

    Args:
        path: Name of the new file, best on a node-local file system (/dev/shm or a local disk).
        layout: Size and number format of the table.

    Returns:
        The mapped file.

    Raises:
        FileExistsError: If the file exists: it may belong to a living run.
        OSError: If the file system has not enough space (``ENOSPC``, ``EDQUOT``).
    """
    path, size = Path(path), HEADER_BYTES + layout.nbytes
    identity = uuid.uuid4().hex
    header = _MAGIC + json.dumps(dict(layout=asdict(layout), identity=identity)).encode()
    if shutil.disk_usage(path.parent).free < size:  # before anything is created
        raise _no_space(path, size)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise FileExistsError(
            f'{path} exists: it may belong to a running job. Choose another name, or remove it '
            'if it was left behind by a run that is over.'
        ) from None
    try:
        _reserve(fd, path, size)
        # Header last: whoever attaches before sees no magic, never a file of the wrong size.
        os.pwrite(fd, header, 0)
        return Scratch(layout, mmap.mmap(fd, size), identity)
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(fd)


def attach_scratch(path: str | os.PathLike) -> Scratch:
    """Maps a scratch file that another process has created.

    Args:
        path: Name of the file.

    Returns:
        The mapped file, its layout read from the header.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a complete scratch file.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        header = os.pread(fd, HEADER_BYTES, 0)
        if not header.startswith(_MAGIC):
            raise ValueError(
                f'{path} is not the scratch file of a difficulty table, or is not complete yet: '
                'let the creating process finish (barrier) before others attach.'
            )
        content = json.loads(header[len(_MAGIC) :].rstrip(b'\0'))
        layout = TableLayout(**content['layout'])
        expected, found = HEADER_BYTES + layout.nbytes, os.fstat(fd).st_size
        if found != expected:
            raise ValueError(
                f'{path} has {found} bytes instead of {expected} for {layout}: it was cut or '
                'extended. Remove it and start the run again.'
            )
        return Scratch(layout, mmap.mmap(fd, expected), content['identity'])
    finally:
        os.close(fd)


def release_pages(memory: mmap.mmap, start: int, stop: int) -> None:
    """Unmaps pages from this process; the shared data stay.

    Args:
        memory: Mapping of a table: header, then the arrays.
        start: First byte, counted from the beginning of the arrays.
        stop: The byte after the last.
    """
    if hasattr(mmap, 'MADV_DONTNEED'):
        first = (HEADER_BYTES + start) // mmap.PAGESIZE * mmap.PAGESIZE
        memory.madvise(mmap.MADV_DONTNEED, first, HEADER_BYTES + stop - first)


def _reserve(fd: int, path: Path, size: int) -> None:
    """Gives the empty file its size and reserves the space, where the file system can."""
    if hasattr(os, 'posix_fallocate'):
        try:
            return os.posix_fallocate(fd, 0, size)
        except OSError as error:
            if error.errno == errno.ENOSPC:  # others took the space since it was checked
                raise _no_space(path, size) from error
            if error.errno not in _CANNOT_RESERVE:
                raise
    os.ftruncate(fd, size)


def _no_space(path: Path, size: int) -> OSError:
    """The error, with the space needed, the space available and the remedy."""
    free = shutil.disk_usage(path.parent).free
    return OSError(
        errno.ENOSPC,
        f'the difficulty table needs {size / 1e9:.3f} GB in {path.parent}, where '
        f'{free / 1e9:.3f} GB are free. Choose another scratch directory (a local disk will do) or '
        'enlarge this one (/dev/shm in a container: --shm-size)',
    )
