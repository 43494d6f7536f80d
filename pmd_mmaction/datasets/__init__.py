"""Data sets and transforms that MMAction2 lacks."""

from pmd_mmaction.datasets.antialiased_resize import AntialiasedResize
from pmd_mmaction.datasets.bad_videos import SubstituteBadVideos
from pmd_mmaction.datasets.mark_split import MarkSplit
from pmd_mmaction.datasets.path_list import (
    PathListDataset,
    find_videos,
    parse_path_list,
    read_path_list,
)
from pmd_mmaction.datasets.readable_clips import ReadableClips
from pmd_mmaction.datasets.repeat_aug import RepeatAugPathListDataset
from pmd_mmaction.datasets.require_frames import RequireFrames
from pmd_mmaction.datasets.seed_augmentation import SeedAugmentation
from pmd_mmaction.datasets.video_transforms import VideoDecode, VideoInit
from pmd_mmaction.datasets.whole_steps import WholeStepBatchSampler

__all__ = [
    'AntialiasedResize',
    'MarkSplit',
    'PathListDataset',
    'ReadableClips',
    'RepeatAugPathListDataset',
    'RequireFrames',
    'SeedAugmentation',
    'SubstituteBadVideos',
    'VideoDecode',
    'VideoInit',
    'WholeStepBatchSampler',
    'find_videos',
    'parse_path_list',
    'read_path_list',
]
