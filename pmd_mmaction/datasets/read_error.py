"""Why a video cannot be read: in one line, and whether it may be readable soon."""

import errno
from pathlib import Path

# What a disk, a network or a full memory does to a good file.
PASSING = (
    *(errno.EIO, errno.ESTALE, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
    *(errno.ETIMEDOUT, errno.ENOTCONN, errno.ESHUTDOWN),
)


def is_passing(error: BaseException | None, path: str) -> bool:
    """Whether an error, or what caused it, says nothing about the file.

    An input/output error does only if the bytes of the file cannot be read either: FFmpeg reports
    one for a Matroska file that ends early.
    """
    if error is None or isinstance(error, MemoryError):
        return error is not None
    number = getattr(error, 'errno', None)
    passing = number in PASSING and not (number == errno.EIO and _can_be_read(Path(path)))
    return passing or is_passing(error.__cause__, path)


def _can_be_read(path: Path) -> bool:
    try:
        with path.open('rb') as file:
            while file.read(2**20):
                pass
    except OSError:
        return False
    return True


def reason_of(error: Exception) -> str:
    """Type and first line of an error; decord's messages contain a stack trace."""
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0][:200]}'
