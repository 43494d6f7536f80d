"""Makes printing safe for any file name."""

import sys


def accept_any_name() -> None:
    """Lets standard output print names that are not UTF-8, escaped as on standard error.

    Without it a tool that prints such a path ends with UnicodeEncodeError after its work.
    """
    for stream in (sys.stdout, sys.stderr):  # which may have been replaced
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
