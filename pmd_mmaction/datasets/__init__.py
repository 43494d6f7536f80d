"""Data sets and transforms that MMAction2 lacks."""

from pmd_mmaction.datasets.mark_split import MarkSplit
from pmd_mmaction.datasets.path_list import PathListDataset, parse_path_list, read_path_list
from pmd_mmaction.datasets.readable_clips import ReadableClips
from pmd_mmaction.datasets.repeated_clips import RepeatedClipsDataset
from pmd_mmaction.datasets.seed_augmentation import SeedAugmentation
from pmd_mmaction.datasets.video_reader import VideoError, VideoReader
from pmd_mmaction.datasets.video_transforms import VideoDecode, VideoInit

__all__ = [
    'MarkSplit',
    'PathListDataset',
    'ReadableClips',
    'RepeatedClipsDataset',
    'SeedAugmentation',
    'VideoDecode',
    'VideoError',
    'VideoInit',
    'VideoReader',
    'parse_path_list',
    'read_path_list',
]
