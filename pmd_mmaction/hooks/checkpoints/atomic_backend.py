"""Atomic writes for the files of the Runner."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from pmd_mmaction.storage.atomic_file import write_file

NAME = 'atomic_local'


@register_backend(NAME)
class AtomicLocalBackend(LocalBackend):
    """MMEngine's local backend, with an atomic ``put``: temporary file, fsync, rename.

    ``remove`` can be deferred, so that an old file is kept until its successor is complete.
    """

    def __init__(self) -> None:
        self.waiting: list[Path] | None = None

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes a file; it gets its final name only once it is on disk.

        Raises:
            OSError: if it cannot be written; an older file of this name is intact.
        """
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        write_file(filepath, obj)

    def remove(self, filepath: str | Path) -> None:
        """Removes a file, or appends it to ``waiting`` while that is a list."""
        if self.waiting is None:
            super().remove(filepath)
        else:
            self.waiting.append(Path(filepath))
