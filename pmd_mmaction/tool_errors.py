"""What a user of a tool sees of a file that is missing: one line."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_line_if_missing() -> Iterator[None]:
    """Ends a tool without a traceback where a file that it needs is missing.

    Raises:
        SystemExit: with the message of the FileNotFoundError.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise SystemExit(str(error)) from None
