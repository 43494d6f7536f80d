"""The videos in a folder, whatever its subfolders."""

import os
from pathlib import Path

from pmd_mmaction.datasets.video_suffixes import count_suffixes, is_named_as_video

# Folders that systems and network drives keep for deleted files and thumbnails.
SYSTEM_FOLDERS = ('$recycle.bin', 'system volume information', 'lost+found')
SYSTEM_FOLDERS += ('@eadir', '@recycle', '#recycle')


def find_videos(folder: str | Path) -> list[Path]:
    """All videos under a folder, by suffix, in alphabetical order; links are followed.

    Left out is what a system keeps for itself: names that begin with a dot, trash, thumbnails.

    Raises:
        ValueError: if it is not a folder or holds none.
        OSError: if a folder below it cannot be read.
    """
    return scan_folder(folder)[0]


def scan_folder(folder: str | Path) -> tuple[list[Path], list[Path]]:
    """The videos of :func:`find_videos`, and all other files, both in alphabetical order.

    Raises:
        ValueError: if it is not a folder or holds no video.
        OSError: if a folder below it cannot be read.
    """
    if not os.path.isdir(folder):
        raise ValueError(f'{folder} is not a folder')
    found, entered, waiting = [], set(), [Path(folder)]
    while waiting:  # links come after all folders, which keep their names
        for place, subfolders, names in os.walk(waiting.pop(0), onerror=_raise):
            if os.path.realpath(place) in entered:
                subfolders.clear()
                continue
            entered.add(os.path.realpath(place))
            subfolders[:] = sorted(name for name in subfolders if _is_users_folder(name))
            waiting += [Path(place, n) for n in subfolders if os.path.islink(Path(place, n))]
            found += [Path(place, name) for name in names if name[0] != '.']
    videos = sorted(path for path in found if is_named_as_video(path.name))
    others = sorted(path for path in found if not is_named_as_video(path.name))
    if not videos:
        there = f'; it holds {count_suffixes(others)}' if others else ''
        raise ValueError(f'{folder} holds no video (.mp4, .mov, .avi ...: docs/data.md){there}')
    return videos, others


def _is_users_folder(folder: str) -> bool:
    return folder[0] != '.' and folder.casefold() not in SYSTEM_FOLDERS


def _raise(error: OSError) -> None:
    raise error
