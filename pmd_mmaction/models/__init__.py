"""Models: a masked student, its teachers, and the terms of its loss."""

from pmd_mmaction.models.backbones import MaskedVisionTransformer
from pmd_mmaction.models.clip_preprocessor import ClipPreprocessor
from pmd_mmaction.models.heads import (
    AttentiveHead,
    FeatureDecoder,
    FeatureGenerator,
    Float32TimeSformerHead,
)
from pmd_mmaction.models.maskers import (
    CubeMasker,
    Masker,
    ObjectTubeMasker,
    RunningCellMasker,
    TubeMasker,
    View,
)
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
    LayerPairTerm,
    PatchTerm,
    PixelTerm,
    PSDTerm,
    Step,
    Term,
    UnitAlignmentTerm,
)

__all__ = [
    'AttentiveHead',
    'BaseTerm',
    'CLFATerm',
    'ClipPreprocessor',
    'CubeMasker',
    'DARETerm',
    'FeatureDecoder',
    'FeatureGenerator',
    'FeatureTeacher',
    'Float32TimeSformerHead',
    'LayerPairTerm',
    'MaskedAutoencoder',
    'MaskedDistillation',
    'MaskedVisionTransformer',
    'Masker',
    'ObjectTubeMasker',
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
