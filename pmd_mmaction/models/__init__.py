"""Models: a masked student, its teachers, and the terms of its loss."""

from pmd_mmaction.models.backbones import MaskedVisionTransformer
from pmd_mmaction.models.clip_preprocessor import ClipPreprocessor
from pmd_mmaction.models.heads import FeatureDecoder, Float32TimeSformerHead
from pmd_mmaction.models.maskers import CubeMasker, Masker, RunningCellMasker, TubeMasker, View
from pmd_mmaction.models.recognizers import MaskedAutoencoder, MaskedDistillation, PMDRecognizer
from pmd_mmaction.models.teachers import (
    FeatureTeacher,
    PixelTeacher,
    TimmImageTeacher,
    VideoMAETeacher,
    load_strictly,
    read_state_dict,
)
from pmd_mmaction.models.terms import (
    BaseTerm,
    CLFATerm,
    DARETerm,
    PatchTerm,
    PixelTerm,
    PSDTerm,
    Step,
    Term,
    UnitAlignmentTerm,
)

__all__ = [
    'BaseTerm',
    'CLFATerm',
    'ClipPreprocessor',
    'CubeMasker',
    'DARETerm',
    'FeatureDecoder',
    'FeatureTeacher',
    'Float32TimeSformerHead',
    'MaskedAutoencoder',
    'MaskedDistillation',
    'MaskedVisionTransformer',
    'Masker',
    'PMDRecognizer',
    'PSDTerm',
    'PatchTerm',
    'PixelTeacher',
    'PixelTerm',
    'RunningCellMasker',
    'Step',
    'Term',
    'TimmImageTeacher',
    'TubeMasker',
    'UnitAlignmentTerm',
    'VideoMAETeacher',
    'View',
    'load_strictly',
    'read_state_dict',
]
