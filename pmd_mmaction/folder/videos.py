"""Videos of a folder: found, copied smaller, divided into training and held-out."""

import os
import re
import shutil
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Sequence

from tqdm import tqdm

from pmd_mmaction.curation.process_per_file import map_isolated
from pmd_mmaction.curation.video_resize import ResizeSettings, resize_video
from pmd_mmaction.datasets.path_list import read_path_list, scan_folder
from pmd_mmaction.storage.atomic_file import write_file

FEWEST = 10
HELD_OUT = 10  # one of so many
TIMEOUT = 1800


class FolderError(Exception):
    """Tells in one line what is wrong, and the remedy."""


class Lists(NamedTuple):
    """Videos as ``(path below the folder of copies, class)``; class None: there are none."""

    train: list[tuple[str, str | None]]
    held_out: list[tuple[str, str | None]]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len({label for _, label in [*self.train, *self.held_out]} - {None})


def find_videos(source: Path) -> list[Path]:
    """All videos of a folder and its sub-folders, in order.

    Raises:
        FolderError: if it is no folder, or holds too few.
    """
    if not source.is_dir():
        raise FolderError(f'{source} is no folder: name the one that holds your videos')
    try:
        videos, others = scan_folder(source)
    except ValueError:  # none; the message below is shorter
        videos, others = [], [path for path in source.rglob('*') if path.is_file()]
    return require_enough(source, videos, f'beside {len(others)} other files' if others else '')


def require_enough(source: Path, videos: list, beside: str = '') -> list:
    """The videos, if there are enough to learn from.

    Raises:
        FolderError: if not.
    """
    if len(videos) < FEWEST:
        count = f'{len(videos) or "no"} videos that can be used'
        text = f'{source} holds {" ".join(filter(None, (count, beside)))}'
        raise FolderError(f'{text}: a pre-training needs {FEWEST} at the least, better hundreds')
    return videos


def divide(source: Path, videos: Sequence[Path]) -> Lists:
    """Holds out a tenth; sub-folders are classes if there are several, of two videos at the least.

    The hash of its name decides about a video, so that the same folder is always divided alike.
    """
    names = {path: copy_name(source, path) for path in videos}
    folders: dict[str, list[Path]] = {}
    for path in videos:
        folders.setdefault(path.relative_to(source).parts[0], []).append(path)
    named = all(len(path.relative_to(source).parts) > 1 for path in videos)
    classes = sorted(folders) if named and len(folders) > 1 else []
    if any(len(group) < 2 for group in folders.values()):
        classes = []
    lists = Lists([], [])
    groups = [(str(i), folders[name]) for i, name in enumerate(classes)] or [(None, list(videos))]
    for label, group in groups:
        ordered = sorted(group, key=lambda path: sha256(names[path].encode()).digest())
        out = max(1, len(group) // HELD_OUT)
        lists.held_out.extend((names[path], label) for path in sorted(ordered[:out]))
        lists.train.extend((names[path], label) for path in sorted(ordered[out:]))
    return lists


def copy_name(source: Path, path: Path) -> str:
    """Name of a video's copy: nothing that a list of labels could not hold, and no other's name."""
    name = path.relative_to(source).as_posix()
    digest = sha256(os.fsencode(name)).hexdigest()[:6]
    return f'{re.sub(r"[^A-Za-z0-9]+", "_", path.stem)[:60].strip("_")}_{digest}.mp4'


def copy_videos(
    source: Path, videos: Sequence[Path], target: Path, short_side: int, jobs: int
) -> tuple[list[Path], dict[Path, str]]:
    """Makes smaller copies; those that are there already are kept.

    Args:
        source: the folder of the videos.
        videos: in it.
        target: folder of the copies, which bear :func:`copy_name`.
        short_side: of the copies in pixels.
        jobs: processes.

    Returns:
        The videos that have a copy, and why the others have none.

    Raises:
        FolderError: if the disk is full.
    """
    target.mkdir(parents=True, exist_ok=True)
    pairs = {(str(path), str(target / copy_name(source, path))): path for path in videos}
    rest = [pair for pair in pairs if not Path(pair[1]).is_file()]
    settings = ResizeSettings(short_side=short_side, preset='veryfast')
    copies = map_isolated(partial(resize_video, settings=settings), rest, jobs, TIMEOUT)
    failed = {}
    done = len(pairs) - len(rest)
    for outcome in tqdm(copies, total=len(pairs), initial=done, unit='video', desc='copies'):
        if outcome.error is None:
            continue
        Path(f'{outcome.item[1]}.tmp').unlink(missing_ok=True)
        if 'No space left' in outcome.error or 'quota' in outcome.error:
            free = shutil.disk_usage(target).free / 1e9
            raise FolderError(f'the disk of {target} is full ({free:.2f} GB free): make room there')
        failed[pairs[outcome.item]] = outcome.error
    return [path for path in videos if path not in failed], failed


def write_list(path: Path, entries: list[tuple[str, str | None]]) -> None:
    """Writes a list file, complete or not at all."""
    lines = (name if label is None else f'{name} {label}' for name, label in entries)
    write_file(path, ''.join(f'{line}\n' for line in lines).encode())


def read_lists(folder: Path) -> Lists | None:
    """The lists that an earlier call has written; None: it has not come so far."""
    paths = folder / 'train.txt', folder / 'held_out.txt'
    if not all(path.is_file() for path in paths):
        return None
    read = (read_path_list(path, str(folder / 'videos')) for path in paths)
    return Lists(*([(e[0], None if e[1] is None else str(e[1])) for e in part] for part in read))
