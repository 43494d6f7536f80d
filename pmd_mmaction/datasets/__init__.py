"""Data sets and transforms that MMAction2 lacks."""

from pmd_mmaction.datasets.mark_split import MarkSplit
from pmd_mmaction.datasets.path_list import (
    PathListDataset,
    find_videos,
    parse_path_list,
    read_path_list,
)
from pmd_mmaction.datasets.readable_clips import ReadableClips
from pmd_mmaction.datasets.seed_augmentation import SeedAugmentation

__all__ = [
    'MarkSplit',
    'PathListDataset',
    'ReadableClips',
    'SeedAugmentation',
    'find_videos',
    'parse_path_list',
    'read_path_list',
]
