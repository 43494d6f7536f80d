"""What an earlier call was asked for: a later one with the same --out goes on with that."""

import json
from pathlib import Path
from typing import Any

from pmd_mmaction.folder.videos import FolderError
from pmd_mmaction.storage.atomic_file import write_file

FILE = 'begun.json'
CONFIG_FILES = 'image_teacher.py', 'video_teacher.py', 'pretrain.py', 'finetune.py'
MADE = (
    *('videos', 'train.txt', 'held_out.txt', 'classes.txt', 'left_out.csv', 'report.html'),
    *('image_teacher', 'image_teacher.pth', 'video_teacher', 'pmd', 'finetune'),
)
WRITTEN = 'written by tools/pretrain_folder.py'  # in the first line of each
Choices = dict[str, Any]


def read_begun(out: Path) -> Choices | None:
    """The folder of videos and the options of an earlier call; None: there was none."""
    path = out / FILE
    return json.loads(path.read_text()) if path.is_file() else None


def has_trained(out: Path) -> bool:
    """Whether a training has written a checkpoint: until then other settings lose nothing."""
    return any(out.glob('*/last_checkpoint'))


def write_begun(out: Path, choices: Choices) -> None:
    """Writes what :func:`read_begun` reads."""
    write_file(out / FILE, (json.dumps(choices, indent=1, default=str) + '\n').encode())


def require_no_foreign_files(out: Path) -> None:
    """Refuses a folder that was not begun and holds what would be overwritten or taken for ours.

    Raises:
        FolderError: naming the file.
    """
    foreign = [out / name for name in MADE]
    foreign += [p for p in map(out.joinpath, CONFIG_FILES) if p.is_file() and not _ours(p)]
    for path in foreign:
        if path.exists():
            raise FolderError(f'{path} is not of an earlier call: choose another --out')


def _ours(config: Path) -> bool:
    """Whether this package wrote the file, as a dry run does."""
    with config.open('rb') as file:
        return WRITTEN.encode() in file.readline()


def require_same(out: Path, begun: Choices, now: Choices) -> None:
    """Refuses what differs from an earlier call; None: not said now.

    Raises:
        FolderError: naming each difference.
    """
    before = {name: 'not given' if value is None else value for name, value in begun.items()}
    differences = [
        f'{_said(name)} was {before[name]}, now it is {value}'
        for name, value in now.items()
        if value is not None and str(value) != str(before[name])
    ]
    if differences:
        raise FolderError(
            f'{out} was begun with other settings ({"; ".join(differences)}): repeat the command '
            'that began it, or choose another --out'
        )


def _said(name: str) -> str:
    return 'the folder' if name == 'videos' else f'--{name.replace("_", "-")}'
