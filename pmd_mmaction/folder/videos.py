"""Videos of a folder: found, copied smaller, divided into training and held-out."""

import os
import re
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Iterable, NamedTuple, Sequence

from pmd_mmaction.curation.missing_copies import DiskFullError, make_missing_copies
from pmd_mmaction.curation.process_per_file import Outcome
from pmd_mmaction.curation.video_resize import ResizeSettings
from pmd_mmaction.datasets.path_list import read_path_list
from pmd_mmaction.datasets.video_folder import scan_folder
from pmd_mmaction.storage.atomic_file import write_file
from pmd_mmaction.storage.digest import sha256_of

FEWEST = 10
FRAMES = 2  # of a video at the least
HELD_OUT = 10  # one of so many
SPLITS = {'train', 'training', 'val', 'valid', 'validation', 'test', 'testing'}
SHORT_SIDE = 'short_side.txt'  # beside the copies
TIMEOUT = 1800  # seconds for a copy, and so many more for each MB of the largest video
TIMEOUT_PER_MB = 2


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


class Found(NamedTuple):
    """Videos of a folder, and why some are not taken."""

    videos: list[Path]
    left_out: dict[Path, str]


def collect_videos(source: Path) -> Found:
    """All videos of a folder and its sub-folders, in order, each once.

    Raises:
        FolderError: if it is not a folder, cannot be read, or holds too few.
    """
    if not source.is_dir():
        raise FolderError(f'{source} is not a folder: name the one that holds your videos')
    try:
        videos, others = scan_folder(source)
    except ValueError:  # none; the message below is shorter
        videos, others = [], [path for path in source.rglob('*') if path.is_file()]
    except OSError as error:
        raise FolderError(
            f'{error.filename} cannot be read ({error.strerror}): allow it, or name a folder that '
            'does not hold it'
        ) from None
    there = [path for path in videos if path.is_file()]
    left_out = dict.fromkeys(sorted({*videos} - {*there}), 'a link to nowhere')
    left_out |= {path: f'the same as {first}' for path, first in _copies(there).items()}
    videos = [path for path in there if path not in left_out]
    beside = [f'{len(others)} other files'] if others else []
    beside += [f'{len(left_out)} copies and broken links'] if left_out else []
    require_enough(source, videos, f'beside {" and ".join(beside)}' if beside else '')
    return Found(videos, left_out)


def _copies(videos: Sequence[Path]) -> dict[Path, Path]:
    """Videos whose bytes are those of an earlier one, which is named; held-out ones must be new."""
    sizes: dict[int, list[Path]] = {}
    for path in videos:
        sizes.setdefault(path.stat().st_size, []).append(path)
    same: dict[Path, Path] = {}
    for size, group in sizes.items():
        first: dict[str, Path] = {}
        for path in group if size and len(group) > 1 else ():
            with suppress(OSError):  # what cannot be read is told when it is copied
                original = first.setdefault(sha256_of(path), path)
                if original != path:
                    same[path] = original
    return same


def require_enough(source: Path, videos: list, beside: str = '') -> None:
    """Refuses too few videos to learn from.

    Raises:
        FolderError: naming their number.
    """
    if len(videos) < FEWEST:
        count = f'{len(videos) or "no"} videos that can be used'
        text = f'{source} holds {" ".join(filter(None, (count, beside)))}'
        raise FolderError(f'{text}: pre-training needs at least {FEWEST}, better hundreds')


def class_names(source: Path, videos: Sequence[Path]) -> tuple[list[str], str]:
    """The sub-folders that are classes, in order; if there are none, the reason.

    They are classes if every video lies in one, there are at least two, and each holds at least two
    videos. The reason is empty if there are no sub-folders.
    """
    places = [path.relative_to(source).parts for path in videos]
    folders = Counter(place[0] for place in places if len(place) > 1)
    outside = [place[0] for place in places if len(place) == 1]
    lonely = [name for name, count in folders.items() if count < 2]
    if not folders:
        return [], ''
    if len(folders) > 1 and {name.casefold() for name in folders} <= SPLITS:
        return [], f'{" and ".join(sorted(folders))} are splits of a data set'
    if outside:
        return [], f'{outside[0]} lies in none'
    if lonely:
        return [], f'{lonely[0]} has a single video'
    return (sorted(folders), '') if len(folders) > 1 else ([], 'there is only one')


def split_held_out(source: Path, videos: Sequence[Path]) -> Lists:
    """Holds out a tenth, of each class where there are some (:func:`class_names`).

    The hash of its name decides about a video, so that the same folder is always divided alike.
    """
    classes, _ = class_names(source, videos)
    groups: dict[str | None, list[Path]] = {}
    for path in videos:
        folder = path.relative_to(source).parts[0]
        groups.setdefault(str(classes.index(folder)) if classes else None, []).append(path)
    lists = Lists([], [])
    for label, group in sorted(groups.items(), key=lambda item: int(item[0] or 0)):
        named = sorted(copy_name(source, path) for path in group)
        ordered = sorted(named, key=lambda name: sha256(name.encode()).digest())
        held_out = set(ordered[: max(1, len(group) // HELD_OUT)])
        lists.held_out.extend((name, label) for name in named if name in held_out)
        lists.train.extend((name, label) for name in named if name not in held_out)
    return lists


def copy_name(source: Path, path: Path) -> str:
    """Name of a video's copy: nothing that a list of labels could not hold, and no other's name."""
    name = path.relative_to(source).as_posix()
    digest = sha256(os.fsencode(name)).hexdigest()[:16]
    return f'{re.sub(r"[^A-Za-z0-9]+", "_", path.stem)[:60].strip("_")}_{digest}.mp4'


def copy_videos(
    source: Path, videos: Sequence[Path], target: Path, short_side: int, jobs: int
) -> tuple[list[Path], dict[Path, str]]:
    """Makes smaller copies; those that are there already are kept.

    Args:
        source: the folder of the videos.
        videos: in it.
        target: folder of the copies, which bear :func:`copy_name`.
        short_side: of the copies in pixels at the least; further ones get the size of those there.
        jobs: processes.

    Returns:
        The videos that have a copy, and why the others have none.

    Raises:
        FolderError: if the disk is full, a video cannot be read, or smaller copies are there.
    """
    target.mkdir(parents=True, exist_ok=True)
    note = target / SHORT_SIDE
    if not note.is_file():
        write_file(note, str(short_side).encode())
    short_side = require_copies(target, short_side)
    pairs = {(str(path), str(target / copy_name(source, path))): path for path in videos}
    settings = ResizeSettings(short_side=short_side, preset='veryfast')
    largest = max((path.stat().st_size for path in videos), default=0)
    timeout = TIMEOUT + TIMEOUT_PER_MB * largest / 1e6
    try:
        errors = _errors(make_missing_copies(pairs, settings, jobs, timeout))
        if lost := [pair for pair, error in errors.items() if error == 'crash']:
            # once more, one by one: several at a time may have been too much for the memory
            errors |= _errors(make_missing_copies(lost, settings, 1, timeout))
    except DiskFullError as error:
        raise FolderError(str(error)) from None
    failed = {pairs[pair]: error for pair, error in errors.items() if error is not None}
    for path, error in failed.items():
        _require_readable(path)
        if error == 'timeout':
            minutes = f'{timeout / 60:.0f} minutes'
            failed[path] = f'copying it took longer than {minutes}: cut it into parts'
    return [path for path in videos if path not in failed], failed


def _errors(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], str | None]:
    """Why a copy is not used, or None; that of a still picture is removed."""
    errors = {}
    for outcome in outcomes:
        errors[outcome.item] = outcome.error
        if outcome.error is None and outcome.value < FRAMES:
            Path(outcome.item[1]).unlink()
            errors[outcome.item] = 'a single frame'
    return errors


def _require_readable(path: Path) -> None:
    """Refuses to leave out a video of which nothing is known, as of a disk that was taken away."""
    try:
        with path.open('rb') as file:
            file.read(1)
    except OSError as error:
        raise FolderError(
            f'{path} cannot be read now ({error.strerror}): put that right, or take it out of the '
            'folder; the same command goes on'
        ) from None


def require_copies(folder: Path, short_side: int) -> int:
    """The short side of the copies, which an earlier call may have made.

    Raises:
        FolderError: if it is smaller than is needed now.
    """
    note = folder / SHORT_SIDE
    there = int(note.read_text()) if note.is_file() else short_side
    if there < short_side:
        raise FolderError(
            f'the copies in {folder} are {there} px high, these settings need {short_side}: '
            'choose another --out'
        )
    return there


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
