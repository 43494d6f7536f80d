"""Lists of videos with or without labels."""

import codecs
import os
from pathlib import Path
from typing import Annotated, Any, Callable, Iterator, Mapping, Sequence

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS
from mmengine.dataset.base_dataset import force_full_init

from pmd_mmaction.arguments import Check, Count, Text, checked, require, require_keys
from pmd_mmaction.datasets.bad_videos import SubstituteBadVideos
from pmd_mmaction.datasets.compact_list import CompactList, scan_ordinary
from pmd_mmaction.datasets.list_columns import read_columns
from pmd_mmaction.transforms.sampling_arguments import check_sampling

NO_LABEL = -1
Folder = Annotated[str, Check("a folder, or ''", lambda value: isinstance(value, str))]
Pipeline = Annotated[
    Sequence[dict | Callable],
    Check("a list of dict(type='...', ...)", lambda value: isinstance(value, (list, tuple))),
]


def _existing(folder: str | Path) -> Callable[[str], bool]:
    return lambda name: os.path.exists(os.path.join(folder, name))


def read_path_list(
    path: str | Path, folder: str | Path = '', allow_outside: bool = True
) -> CompactList:
    """The videos of a list file and their labels; see :func:`read_columns`.

    A line that exists in ``folder`` as a file is always a path.

    Names that are not UTF-8 keep their bytes (``surrogateescape``), so they can be opened.

    Args:
        path: the list file.
        folder: folder of the videos.
        allow_outside: accept paths outside the folder, see :func:`lies_inside`. Without a folder
            any path is accepted.

    Returns:
        A sequence of pairs (path, label); the label is None in a list without labels.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no UTF-8 text or names no video, or naming the line with a path
            outside the folder, a wrong column or a missing label.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no list file {path}: docs/data.md tells how to make one')
    text = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    if b'\0' in text:
        raise ValueError(
            f'{path} is not UTF-8 (UTF-16, as PowerShell writes it?): save it as UTF-8'
        )
    confined = bool(folder) and not allow_outside
    if not (confined and (b'..' in text or text.startswith(b'/') or b'\n/' in text)):
        videos = scan_ordinary(text)
        first = text.partition(b'\n')[0].decode('utf-8', 'surrogateescape')
        if videos is not None and (videos.labels is None or not _existing(folder)(first)):
            return videos
    lines = text.decode('utf-8', 'surrogateescape').split('\n')
    try:
        entries = read_columns(lines, _existing(folder))
    except ValueError as error:
        raise ValueError(f'{path}, {error}') from None
    if not entries:
        raise ValueError(f'{path} names no video')
    for number, name, _ in entries if confined else ():
        if not lies_inside(name, folder):
            raise ValueError(
                f'{path}, line {number}: {name!r} lies outside of the folder {str(folder)!r}, or '
                "has a part '..': write paths relative to that folder (data_prefix), or, if you "
                'trust the list, set allow_outside=True in the data set (--allow-outside of a tool)'
            )
    return CompactList.of([(name, label) for _, name, label in entries])


def lies_inside(name: str, folder: str | Path) -> bool:
    """Whether a path of a list is inside a folder, judged by its text alone.

    It is if no part of it is ``..`` and it is relative to the folder or, if absolute, below it.
    Links inside the folder may point anywhere: whoever can create them already has access, and
    data sets on clusters often consist of links.
    """
    path = Path(name)
    below = not path.is_absolute() or path.is_relative_to(Path(folder).absolute())
    return below and '..' not in path.parts


def join_path(root: str, name: str) -> str:
    """A file below a folder; either may be an address, which :class:`pathlib.Path` would change."""
    if '://' in name:
        return name
    if '://' in root and not name.startswith('/'):
        return root + name if root.endswith('/') else f'{root}/{name}'
    return str(Path(root, name))


class ListedVideos(Sequence):
    """What MMEngine's data set takes for its list of dicts; each is made when it is asked for.

    Args:
        videos: paths and labels.
        root: folder of the paths; ``''``: they stand for themselves.
    """

    def __init__(self, videos: CompactList, root: str) -> None:
        self.videos, self.root = videos, root
        self._prefix = join_path(root, '_')[:-1]

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index):
        if isinstance(index, slice):  # of the option ``indices``
            return [self[i] for i in range(len(self))[index]]
        name, label = self.videos[index]
        return dict(filename=self._file_name(name), label=NO_LABEL if label is None else label)

    def file_names(self) -> Iterator[str]:
        """The file of each video."""
        return map(self._file_name, self.videos.names())

    def _file_name(self, name: str) -> str:
        if not self.root:
            return name
        if name[0] in './' or name[-1] == '/' or '//' in name or '/.' in name:
            return join_path(self.root, name)
        return self._prefix + name  # the same, in a tenth of the time


@DATASETS.register_module()
class PathListDataset(SubstituteBadVideos, VideoDataset):
    """MMAction2's ``VideoDataset`` for lists with or without labels, and with bad videos.

    The list holds one path per line, relative to ``data_prefix['video']``, with or without
    labels (:func:`read_columns`); unlike the parent it takes paths with spaces. Videos that
    cannot be read are handled by :class:`SubstituteBadVideos`.

    Args:
        ann_file: the list file.
        pipeline: transforms.
        data_prefix: ``dict(video=...)``, the folder of the videos; None: paths are used as they
            are.
        test_mode: a bad video is always an error.
        allow_outside: accept paths outside ``data_prefix['video']`` (:func:`lies_inside`).
            Without a prefix any path is accepted.
        **options: further options of MMAction2 and MMEngine, see ``OPTIONS``, and
            ``max_substitutes`` of :class:`SubstituteBadVideos`.

    Raises:
        TypeError: for any other option; lists with several labels per video are not supported.
        ValueError: for an invalid argument, or naming the line of a path outside the prefix.
    """

    OPTIONS: dict[str, object] = {
        **dict.fromkeys(('ann_file', 'pipeline', 'data_prefix', 'test_mode', 'allow_outside')),
        **dict.fromkeys(('max_substitutes', 'indices', 'metainfo')),
        **dict(
            data_root=Folder | None,
            lazy_init=bool,
            serialize_data=bool,
            modality=Text,
            start_index=Count,
        ),
    }

    @checked
    def __init__(
        self,
        ann_file: Text,
        pipeline: Pipeline,
        data_prefix: Mapping[str, str] | None = None,
        test_mode: bool = False,
        allow_outside: bool = False,
        **options: Any,
    ) -> None:
        require_keys(self, self.OPTIONS, config=options)
        check_sampling(pipeline)
        data_prefix = dict(video='') if data_prefix is None else data_prefix
        require_keys(self, ('video',), ('video',), data_prefix=data_prefix)
        require(self, Folder, **{'data_prefix.video': data_prefix['video']})
        self.allow_outside = allow_outside
        # The list is one block of memory as it is; MMEngine would pickle each video.
        options['serialize_data'] = False
        super().__init__(ann_file, pipeline, data_prefix, test_mode=test_mode, **options)

    def load_data_list(self) -> ListedVideos:
        """The videos in the order of the list; label -1 where there is none."""
        root = self.data_prefix['video']
        return ListedVideos(read_path_list(self.ann_file, root, self.allow_outside), root)

    @force_full_init
    def file_names(self) -> Iterator[str]:
        """The file of each video, in the order of ``sample_idx``."""
        if isinstance(self.data_list, ListedVideos):
            return self.data_list.file_names()
        return (info['filename'] for info in self.data_list)  # a part of the list
