"""Names that configs of users rely on."""

import pytest
from mmaction.registry import MODELS

from pmd_mmaction import models

NAMES = [
    'PMDRecognizer',
    'MaskedAutoencoder',
    'MaskedVisionTransformer',
    'TimmImageTeacher',
    'VideoMAETeacher',
    'FeatureDecoder',
    'CLFANeck',
    'TubeMasker',
    'CubeMasker',
    'RunningCellMasker',
]


@pytest.mark.parametrize('name', NAMES)
def test_public_models_are_registered(name):
    assert MODELS.get(name) is getattr(models, name)
