"""Lists of videos with or without labels."""

import os
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS

from pmd_mmaction.arguments import Count, Text, checked, require_keys
from pmd_mmaction.datasets.bad_videos import SubstituteBadVideos
from pmd_mmaction.datasets.list_columns import read_columns
from pmd_mmaction.datasets.video_suffixes import VIDEO_SUFFIXES, count_suffixes, is_named_as_video
from pmd_mmaction.transforms.sampling_arguments import check_sampling

NO_LABEL = -1


def find_videos(folder: str | Path) -> list[Path]:
    """All videos below a folder, by their suffix, in alphabetical order; links are followed.

    Raises:
        ValueError: if it is no folder or holds none.
        OSError: if a folder below it cannot be read.
    """
    return scan_folder(folder)[0]


def scan_folder(folder: str | Path) -> tuple[list[Path], list[Path]]:
    """The videos of :func:`find_videos`, and all other files, both in alphabetical order.

    Raises:
        ValueError: if it is no folder or holds no video.
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
        found += [Path(place, name) for name in names]
    videos = sorted(path for path in found if is_named_as_video(path.name))
    others = sorted(path for path in found if not is_named_as_video(path.name))
    if not videos:
        there = f'; it holds {count_suffixes(others)}' if others else ''
        raise ValueError(f'{folder} holds no video ({", ".join(VIDEO_SUFFIXES)}){there}')
    return videos, others


def _raise(error: OSError) -> None:
    raise error


def parse_path_list(lines: Iterable[str], folder: str | Path = '') -> list[tuple[str, int | None]]:
    """Videos of a list file and their labels, see :func:`read_columns`.

    Args:
        lines: the lines of the file.
        folder: of the videos. What exists there as it is written is a path, whatever it looks like.

    Returns:
        Pairs (path, label); the label is None in a list without labels.

    Raises:
        ValueError: naming the first line whose columns are not those of a list.
    """
    return [(line.path, line.label) for line in read_columns(lines, _existing(folder))]


def _existing(folder: str | Path) -> Callable[[str], bool]:
    return lambda name: os.path.exists(os.path.join(folder, name))


def read_path_list(
    path: str | Path, folder: str | Path = '', allow_outside: bool = True
) -> list[tuple[str, int | None]]:
    """The videos of a list file; see :func:`parse_path_list`.

    Names that are no UTF-8 keep their bytes (``surrogateescape``), so they can be opened.

    Args:
        path: the list file.
        folder: of the videos.
        allow_outside: accept paths that leave the folder, see :func:`lies_inside`. Without a
            folder there is nothing to leave.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it names no video, or, with the line, for a path outside of the folder, a
            wrong column or a missing label.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no list file {path}: docs/data.md tells how to make one')
    # 'sig' leaves out the mark with which some editors begin a file
    with path.open(encoding='utf-8-sig', errors='surrogateescape', newline='\n') as file:
        try:
            entries = read_columns(file, _existing(folder))
        except ValueError as error:
            raise ValueError(f'{path}, {error}') from None
    if not entries:
        raise ValueError(f'{path} names no video')
    for number, name, _ in entries if folder and not allow_outside else ():
        if not lies_inside(name, folder):
            raise ValueError(
                f'{path}, line {number}: {name!r} lies outside of the folder {str(folder)!r}, or '
                "has a part '..': write paths relative to that folder (data_prefix), or, if you "
                'trust the list, set allow_outside=True in the data set (--allow-outside of a tool)'
            )
    return [(name, label) for _, name, label in entries]


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
    labels (:func:`read_columns`); unlike the parent it takes paths with spaces. Videos that
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

    OPTIONS: dict[str, object] = {
        **dict.fromkeys(('ann_file', 'pipeline', 'data_prefix', 'test_mode', 'allow_outside')),
        **dict.fromkeys(('max_substitutes', 'data_root', 'indices', 'metainfo')),
        **dict(lazy_init=bool, serialize_data=bool, modality=Text, start_index=Count),
    }

    @checked
    def __init__(
        self,
        ann_file: Text,
        pipeline: Sequence[dict | Callable],
        data_prefix: Mapping[str, str] | None = None,
        test_mode: bool = False,
        allow_outside: bool = False,
        **options: Any,
    ) -> None:
        require_keys(self, self.OPTIONS, config=options)
        if not isinstance(pipeline, (list, tuple)):
            raise ValueError(
                f'{type(self).__name__}: pipeline is {pipeline!r}; it must be a list of '
                "dict(type='...', ...)"
            )
        check_sampling(pipeline)
        data_prefix = dict(video='') if data_prefix is None else data_prefix
        require_keys(self, ('video',), ('video',), data_prefix=data_prefix)
        if not isinstance(data_prefix['video'], str):
            raise ValueError(
                f'{type(self).__name__}: data_prefix.video is {data_prefix["video"]!r}; it must '
                "be a folder, or ''"
            )
        if not isinstance(options.get('data_root', ''), (str, type(None))):
            raise ValueError(
                f'{type(self).__name__}: data_root is {options["data_root"]!r}; it must be a folder'
            )
        self.allow_outside = allow_outside
        super().__init__(ann_file, pipeline, data_prefix, test_mode=test_mode, **options)

    def load_data_list(self) -> list[dict]:
        """The videos in the order of the list; label -1 where there is none."""
        root = self.data_prefix['video']
        entries = read_path_list(self.ann_file, root, self.allow_outside)
        return [
            dict(
                filename=str(Path(root, name)) if root else name,
                label=NO_LABEL if label is None else label,
            )
            for name, label in entries
        ]
