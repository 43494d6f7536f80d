"""What a user of a tool sees: any file name, and one line for a file that is missing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def accept_any_name() -> None:
    """Lets standard output print names that are not UTF-8, escaped as on standard error.

    Without it a tool that prints such a path ends with UnicodeEncodeError after its work.
    """
    for stream in (sys.stdout, sys.stderr):  # which may have been replaced
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')


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
