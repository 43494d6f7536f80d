"""What several test files share."""

import logging
import multiprocessing
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

# First of all: it repairs what keeps mmaction.models from being imported.
import pmd_mmaction  # noqa: F401
from pmd_mmaction.functional import Phase

# Every width and depth differs, so that a mix-up does not pass unnoticed.
GRID = dict(img_size=16, patch_size=4, num_frames=4, tubelet_size=2)  # 2 x 4 x 4 patches
STUDENT = dict(embed_dims=24, depth=6, num_heads=3, **GRID)
VIDEO_TEACHER = dict(embed_dims=32, depth=3, num_heads=2, **GRID)
IMAGE_TEACHER = dict(
    model_name='vit_tiny_patch16_224',
    num_frames=GRID['num_frames'],
    tubelet_size=GRID['tubelet_size'],
    model_kwargs=dict(img_size=16, patch_size=4, embed_dim=20, depth=9, num_heads=2),
)


def pytest_configure(config):
    # The processes of the tests share the cores; with more threads sums have other last bits.
    torch.set_num_threads(1)
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    # Whichever test starts the fork server, no process of it has to import for ten seconds.
    multiprocessing.get_context('forkserver').set_forkserver_preload(['pmd_mmaction'])


@pytest.fixture(autouse=True)
def _logging_stays_on():
    yield
    logging.disable(logging.NOTSET)  # tools and benchmarks that a test runs here turn it off


@pytest.fixture(scope='module')
def mmaction_scope():
    """Makes 'mmaction' the default scope and quietens the initialisation of models."""
    init_default_scope('mmaction')
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)


def _randomize(module, seed=0, std=0.3):
    """Moves every parameter off its initial value, biases and norms included."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(std * torch.randn(parameter.shape, generator=generator))
    return module


@pytest.fixture(scope='session')
def randomize():
    """The function above."""
    return _randomize


@pytest.fixture(scope='session')
def sizes():
    """Configs of the small models: ``student``, ``image_teacher``, ``video_teacher``."""
    return SimpleNamespace(
        student=STUDENT, image_teacher=IMAGE_TEACHER, video_teacher=VIDEO_TEACHER
    )


@pytest.fixture(scope='session')
def random_clips():
    """Makes ``(B, C, T, H, W)`` clips."""

    def make(batch=2, frames=4, height=16, width=16, seed=0):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(batch, 3, frames, height, width, generator=generator)

    return make


class FakeHistory:
    """A difficulty source with given values of each video."""

    by_place = False

    def __init__(self, last, stage=None):
        self.last, self.stage = last, stage

    def read(self, sample_idx):
        rows = np.asarray(sample_idx)
        return self.last[rows], None if self.stage is None else self.stage[rows]


@pytest.fixture(scope='session')
def fake_history():
    """The class above."""
    return FakeHistory


@pytest.fixture
def make_samples(mmaction_scope):
    """Makes data samples with the given ``sample_idx``."""
    from mmaction.structures import ActionDataSample

    def make(*sample_idx):
        return [ActionDataSample(metainfo=dict(sample_idx=i)) for i in sample_idx]

    return make


@pytest.fixture
def make_recognizer(mmaction_scope):
    """Builds a small PMDRecognizer in its first phase, all parameters random.

    All four terms are on, with an empty history of 4 videos; None switches a part off.
    """
    from mmaction.registry import MODELS

    def make(mask_ratio=0.75, **overrides):
        cfg = dict(
            type='PMDRecognizer',
            backbone=dict(type='MaskedVisionTransformer', use_mean_pooling=False, **STUDENT),
            image_teacher=dict(type='TimmImageTeacher', **IMAGE_TEACHER),
            video_teacher=dict(type='VideoMAETeacher', **VIDEO_TEACHER),
            decoder=dict(type='FeatureDecoder', embed_dims=28, num_heads=2, depth=2),
            masker=dict(type='TubeMasker'),
            base=dict(),
            psd=dict(),
            dare=dict(),
            clfa=dict(type='CLFATerm'),
        )
        torch.manual_seed(0)
        model = MODELS.build({**cfg, **overrides})
        model.init_weights()
        _randomize(model)
        for seed, teacher in enumerate(model.teachers.values()):
            _randomize(teacher.network, seed, std=0.2)
        model.set_phase(Phase(0, mask_ratio, 0, 1))
        model.attach_difficulty(FakeHistory(torch.zeros(4, len(model.teachers), 32)))
        return model

    return make
