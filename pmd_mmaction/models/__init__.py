"""Models: a masked student, its teachers, and the terms of its loss."""

from pmd_mmaction.models.backbones import MaskedVisionTransformer
from pmd_mmaction.models.clip_preprocessor import ClipPreprocessor
from pmd_mmaction.models.heads import FeatureDecoder, Float32TimeSformerHead
from pmd_mmaction.models.maskers import CubeMasker, RunningCellMasker, TubeMasker
from pmd_mmaction.models.recognizers import MaskedAutoencoder, PMDRecognizer
from pmd_mmaction.models.teachers import TimmImageTeacher, VideoMAETeacher
from pmd_mmaction.models.terms import CLFATerm

__all__ = [
    'CLFATerm',
    'ClipPreprocessor',
    'CubeMasker',
    'FeatureDecoder',
    'Float32TimeSformerHead',
    'MaskedAutoencoder',
    'MaskedVisionTransformer',
    'PMDRecognizer',
    'RunningCellMasker',
    'TimmImageTeacher',
    'TubeMasker',
    'VideoMAETeacher',
]
