"""Files of the Runner that appear complete or not at all."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from pmd_mmaction.storage.atomic_file import atomic_writer

NAME = 'atomic_local'


@register_backend(NAME)
class AtomicLocalBackend(LocalBackend):
    """MMEngine's local backend with ``put`` as write aside, fsync, rename.

    ``remove`` can be told to wait, so that an old file outlives the writing of its successor.
    """

    def __init__(self) -> None:
        self.waiting: list[Path] | None = None

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes a file under its final name only when it has reached the disk.

        Raises:
            OSError: if it cannot be written; an older file of this name is intact.
        """
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        with atomic_writer(filepath, len(obj)) as file:
            file.write(obj)

    def remove(self, filepath: str | Path) -> None:
        """Removes a file, or notes it while ``waiting`` is a list."""
        if self.waiting is None:
            super().remove(filepath)
        else:
            self.waiting.append(Path(filepath))
