"""Lists of videos with or without labels."""

import os
import re
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS

from pmd_mmaction.datasets.bad_videos import SubstituteBadVideos
from pmd_mmaction.datasets.frame_sampling import check_sampling
from pmd_mmaction.functional import checks

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
    return [entry for _, entry in _numbered_entries(lines)]


def _numbered_entries(lines: Iterable[str]) -> list[tuple[int, tuple[str, int | None]]]:
    numbered = [(number, line.rstrip('\r\n')) for number, line in enumerate(lines, start=1)]
    numbered = [(number, line) for number, line in numbered if line.strip()]
    matches = [_LABELLED.fullmatch(line.strip()) for _, line in numbered]
    if all(matches):
        return [
            (number, (match[1], int(match[2]))) for (number, _), match in zip(numbered, matches)
        ]
    return [(number, (line, None)) for number, line in numbered]


def read_path_list(
    path: str | Path, inside: str | Path | None = None
) -> list[tuple[str, int | None]]:
    """The videos of a list file; see :func:`parse_path_list`.

    Names that are no UTF-8 keep their bytes (``surrogateescape``), so they can be opened.

    Args:
        path: the list file.
        inside: folder in which every video has to lie, see :func:`lies_inside`; None or empty:
            no such condition.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it names no video, or one outside of the folder.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no list file {path}: docs/data.md tells how to make one')
    # 'sig' leaves out the mark with which some editors begin a file
    with path.open(encoding='utf-8-sig', errors='surrogateescape', newline='\n') as file:
        entries = _numbered_entries(file)
    if not entries:
        raise ValueError(f'{path} names no video')
    for number, (name, _) in entries if inside else ():
        if not lies_inside(name, inside):
            raise ValueError(
                f'{path}, line {number}: {name!r} lies outside of the folder {str(inside)!r}, or '
                "has a part '..': write paths relative to that folder (data_prefix), or, if you "
                'trust the list, set allow_outside=True in the data set (--allow-outside of a tool)'
            )
    return [entry for _, entry in entries]


def lies_inside(name: str, folder: str | Path) -> bool:
    """Whether a path of a list stays in a folder, by its letters.

    It does if no part of it is ``..`` and it is relative to the folder or, if absolute, below it.
    Links inside the folder may lead anywhere: whoever can make them has access already, and data
    sets on clusters consist of links.
    """
    path = Path(name)
    below = not path.is_absolute() or path.is_relative_to(Path(folder).absolute())
    return below and '..' not in path.parts


@DATASETS.register_module()
class PathListDataset(SubstituteBadVideos, VideoDataset):
    """MMAction2's ``VideoDataset`` for lists with or without labels, and with bad videos.

    The list holds one path per line, relative to ``data_prefix['video']``, with or without
    labels (:func:`parse_path_list`); unlike the parent it takes paths with spaces. Videos that
    cannot be read are handled by :class:`SubstituteBadVideos`.

    Args:
        ann_file: the list.
        pipeline: transforms.
        data_prefix: ``dict(video=...)``, the folder of the videos; None: paths stand for
            themselves.
        test_mode: a bad video is always an error.
        allow_outside: accept paths that leave ``data_prefix['video']`` (:func:`lies_inside`).
            Without a prefix there is nothing to leave, and any path is accepted.
        **options: further ones of MMAction2 and MMEngine, see ``OPTIONS``, and
            ``max_substitutes`` of :class:`SubstituteBadVideos`.

    Raises:
        TypeError: for another option; lists of several labels per video are not read.
        ValueError: for an argument that makes no sense, or naming the line of a path that leaves
            the prefix.
    """

    OPTIONS: tuple[str, ...] = (
        'ann_file', 'pipeline', 'data_prefix', 'test_mode', 'allow_outside', 'max_substitutes',
        'data_root', 'indices', 'lazy_init', 'metainfo', 'modality', 'serialize_data',
        'start_index',
    )  # fmt: skip

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[dict | Callable],
        data_prefix: Mapping[str, str] | None = None,
        test_mode: bool = False,
        allow_outside: bool = False,
        **options: Any,
    ) -> None:
        checks.require_keys(self, self.OPTIONS, config=options)
        checks.require_text(self, ann_file=ann_file)
        if not isinstance(pipeline, (list, tuple)):
            raise ValueError(
                f'{type(self).__name__}: pipeline is {pipeline!r}; it must be a list of '
                "dict(type='...', ...)"
            )
        check_sampling(pipeline)
        data_prefix = dict(video='') if data_prefix is None else data_prefix
        checks.require_keys(self, ('video',), ('video',), data_prefix=data_prefix)
        if not isinstance(data_prefix['video'], str):
            raise ValueError(
                f'{type(self).__name__}: data_prefix.video is {data_prefix["video"]!r}; it must '
                "be a folder, or ''"
            )
        if not isinstance(options.get('data_root', ''), (str, type(None))):
            raise ValueError(
                f'{type(self).__name__}: data_root is {options["data_root"]!r}; it must be a folder'
            )
        checks.require_flag(self, test_mode=test_mode, allow_outside=allow_outside)
        for key in ('lazy_init', 'serialize_data'):
            checks.require_flag(self, **{key: options.get(key, True)})
        checks.require_whole(self, 0, start_index=options.get('start_index', 0))
        checks.require_text(self, modality=options.get('modality', 'RGB'))
        self.allow_outside = allow_outside
        super().__init__(ann_file, pipeline, data_prefix, test_mode=test_mode, **options)

    def load_data_list(self) -> list[dict]:
        """The videos in the order of the list; label -1 where there is none."""
        root = self.data_prefix['video']
        entries = read_path_list(self.ann_file, inside=None if self.allow_outside else root)
        return [
            dict(
                filename=str(Path(root, name)) if root else name,
                label=NO_LABEL if label is None else label,
            )
            for name, label in entries
        ]
