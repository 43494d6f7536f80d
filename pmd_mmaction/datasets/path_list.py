"""Lists of videos with or without labels."""

import os
import re
from pathlib import Path
from typing import Iterable

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS

_LABELLED = re.compile(r'(.*\S)\s+(-?\d+)')
NO_LABEL = -1
VIDEO_SUFFIXES = ('.avi', '.flv', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')


def find_videos(folder: str | Path) -> list[Path]:
    """All videos below a folder, by their suffix, in alphabetical order; links are followed.

    Raises:
        ValueError: if it is no folder or holds none.
        OSError: if a folder below it cannot be read.
    """
    if not os.path.isdir(folder):
        raise ValueError(f'{folder} is no folder')
    found, entered = [], set()
    for place, subfolders, names in os.walk(folder, onerror=_raise, followlinks=True):
        entered.add(os.path.realpath(place))
        subfolders[:] = [  # a link may lead back to where we were
            name for name in subfolders if os.path.realpath(Path(place, name)) not in entered
        ]
        found += [Path(place, name) for name in names if name.lower().endswith(VIDEO_SUFFIXES)]
    if not found:
        raise ValueError(f'{folder} holds no video ({", ".join(VIDEO_SUFFIXES)})')
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


def parse_path_list(lines: Iterable[str]) -> list[tuple[str, int | None]]:
    """Videos of a list file and their labels.

    If every line ends with white space and a whole number, these are labels (MMAction2's lists);
    otherwise every whole line is a path, which may hold spaces. Empty lines do not count.

    Args:
        lines: the lines of the file.

    Returns:
        Pairs (path, label); the label is None in a list without labels.
    """
    lines = [line.rstrip('\r\n') for line in lines]
    lines = [line for line in lines if line.strip()]
    matches = [_LABELLED.fullmatch(line.strip()) for line in lines]
    if all(matches):
        return [(match[1], int(match[2])) for match in matches]
    return [(line, None) for line in lines]


def read_path_list(path: str | Path) -> list[tuple[str, int | None]]:
    """The videos of a list file; see :func:`parse_path_list`.

    Names that are no UTF-8 keep their bytes (``surrogateescape``), so they can be opened.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it names no video.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no list file {path}: docs/data.md tells how to make one')
    with path.open(encoding='utf-8', errors='surrogateescape', newline='\n') as file:
        entries = parse_path_list(file)
    if not entries:
        raise ValueError(f'{path} names no video')
    return entries


@DATASETS.register_module()
class PathListDataset(VideoDataset):
    """MMAction2's ``VideoDataset`` that needs no labels, for pre-training.

    The list holds one path per line, relative to ``data_prefix['video']``, with or without
    labels (:func:`parse_path_list`); unlike the parent it takes paths with spaces. All
    arguments are the parent's.
    """

    def load_data_list(self) -> list[dict]:
        """The videos in the order of the list; label -1 where there is none."""
        root = self.data_prefix['video']
        return [
            dict(
                filename=str(Path(root, name)) if root else name,
                label=NO_LABEL if label is None else label,
            )
            for name, label in read_path_list(self.ann_file)
        ]
