"""What is printed may hold any file name."""

import sys


def accept_any_name() -> None:
    """Lets standard output take names that are no UTF-8: escaped, as on standard error.

    Without it a tool that prints such a path ends with UnicodeEncodeError after its work.
    """
    for stream in (sys.stdout, sys.stderr):  # which may be another one than Python's own
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
