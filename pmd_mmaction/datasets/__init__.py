"""Data sets that MMAction2 lacks, and their list files."""

from pmd_mmaction.datasets.bad_videos import SubstituteBadVideos
from pmd_mmaction.datasets.clip_collate import clip_collate
from pmd_mmaction.datasets.path_list import PathListDataset, read_path_list
from pmd_mmaction.datasets.readable_clips import ReadableClips
from pmd_mmaction.datasets.repeat_aug import RepeatAugPathListDataset
from pmd_mmaction.datasets.video_folder import find_videos
from pmd_mmaction.datasets.video_windows import VideoWindows, Windows
from pmd_mmaction.datasets.whole_steps import WholeStepBatchSampler

__all__ = [
    'PathListDataset',
    'ReadableClips',
    'RepeatAugPathListDataset',
    'SubstituteBadVideos',
    'VideoWindows',
    'WholeStepBatchSampler',
    'Windows',
    'clip_collate',
    'find_videos',
    'read_path_list',
]
