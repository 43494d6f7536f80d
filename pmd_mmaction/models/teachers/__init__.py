from pmd_mmaction.models.teachers.auxiliary import AuxiliaryTeacher
from pmd_mmaction.models.teachers.frozen import (
    FeatureTeacher,
    FrozenTeacher,
    LayerGroup,
    TeacherOutput,
)
from pmd_mmaction.models.teachers.pixel import PixelTeacher
from pmd_mmaction.models.teachers.timm_image import TimmImageTeacher
from pmd_mmaction.models.teachers.videomae import VideoMAETeacher
from pmd_mmaction.models.teachers.weights import load_strictly, read_state_dict

__all__ = [
    'AuxiliaryTeacher',
    'FeatureTeacher',
    'FrozenTeacher',
    'LayerGroup',
    'PixelTeacher',
    'TeacherOutput',
    'TimmImageTeacher',
    'VideoMAETeacher',
    'load_strictly',
    'read_state_dict',
]
