"""Transforms that MMAction2 lacks."""

from pmd_mmaction.transforms.antialiased_resize import AntialiasedResize
from pmd_mmaction.transforms.mark_split import MarkSplit
from pmd_mmaction.transforms.motion import PasteMovingObjects
from pmd_mmaction.transforms.note_crop_box import NoteCropBox
from pmd_mmaction.transforms.require_frames import RequireFrames
from pmd_mmaction.transforms.seed_augmentation import SeedAugmentation
from pmd_mmaction.transforms.video_transforms import VideoDecode, VideoInit

__all__ = [
    'AntialiasedResize',
    'MarkSplit',
    'NoteCropBox',
    'PasteMovingObjects',
    'RequireFrames',
    'SeedAugmentation',
    'VideoDecode',
    'VideoInit',
]
