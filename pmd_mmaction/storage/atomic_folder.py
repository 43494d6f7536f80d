"""Folders that are complete or not there."""

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside ``path`` that gets its name if nothing fails.

    Raises:
        ValueError: if there is something of that name.
    """
    if path.exists():
        raise ValueError(f'{path} exists: remove it or choose another folder')
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{path.name}-', dir=path.parent) as beside:
        new = Path(beside) / 'new'
        new.mkdir()
        yield new
        new.rename(path)
