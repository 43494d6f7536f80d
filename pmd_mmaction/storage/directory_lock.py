"""One program at a time that writes to a directory."""

import os
import platform
from pathlib import Path
from typing import TextIO

NAME = '.lock'


class DirectoryLock:
    """A lock on a directory, which ends with the process, however it ends.

    Where a file system knows no locks, everyone gets it.
    """

    def __init__(self) -> None:
        self._file: TextIO | None = None

    @property
    def is_taken(self) -> bool:
        """Whether this process has it."""
        return self._file is not None

    def take(self, directory: Path) -> str | None:
        """Takes the lock unless another process has it.

        Returns:
            That process, as ``'process 7 on node1'``; None: nobody else has it.
        """
        try:
            import fcntl

            file = (directory / NAME).open('a+')
        except (ImportError, OSError):  # not on Windows; a directory that cannot be written to
            return None  # is told by those who write
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            with file:
                return file.read() or 'of an unknown process'
        except OSError:
            file.close()
            return None
        file.truncate(0)
        file.write(f'process {os.getpid()} on {platform.node()}')
        file.flush()
        self._file = file
        return None

    def release(self) -> None:
        """Gives the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None
