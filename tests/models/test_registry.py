"""Names that configs of users rely on."""

from mmaction.registry import MODELS

from pmd_mmaction import models
from tests.every import every

NAMES = [
    'PMDRecognizer',
    'MaskedDistillation',
    'MaskedAutoencoder',
    'MaskedVisionTransformer',
    'TimmImageTeacher',
    'VideoMAETeacher',
    'PixelTeacher',
    'FeatureDecoder',
    'BaseTerm',
    'PSDTerm',
    'DARETerm',
    'CLFATerm',
    'PixelTerm',
    'TubeMasker',
    'CubeMasker',
    'RunningCellMasker',
]


@every('name', NAMES)
def test_public_models_are_registered(name):
    assert MODELS.get(name) is getattr(models, name)


def test_the_old_name_of_clfa_still_works():
    assert MODELS.get('CLFANeck') is MODELS.get('CLFATerm')
