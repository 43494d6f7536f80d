"""Why a video cannot be read: in one line, and whether it may be readable soon."""

import errno

# What a disk, a network or a full memory does to a good file.
PASSING = (
    *(errno.EIO, errno.ESTALE, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
    *(errno.ETIMEDOUT, errno.ENOTCONN, errno.ESHUTDOWN),
)


def is_passing(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, says nothing about the file."""
    if error is None or isinstance(error, MemoryError):
        return error is not None
    return getattr(error, 'errno', None) in PASSING or is_passing(error.__cause__)


def reason_of(error: Exception) -> str:
    """Type and first line of an error; decord's messages contain a stack trace."""
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0][:200]}'
