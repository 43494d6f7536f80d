"""The MVD baseline against MVD's settings (test_mvd_golden.py has the maths,
test_rival_settings.py the rates)."""

import random

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from tests.integration import tiny

FRAMES = 16 * 4


@pytest.fixture(scope='module')
def cfg():
    init_default_scope('mmaction')
    return Config.fromfile(tiny.CONFIGS / 'mvd' / 'vit-b_k400_pretrain.py')


def steps(cfg):
    """The transforms by name."""
    return {step.type: step for step in cfg.train_dataloader.dataset.pipeline}


def test_the_model(cfg):
    model = cfg.model
    assert [model[term] for term in ('psd', 'dare', 'clfa')] == [None] * 3
    assert model.backbone.drop_path_rate == model.decoder.drop_path_rate == 0.1
    assert model.backbone.position == model.decoder.position == 'sincos_3d'
    assert model.decoder.depth == 2 and model.decoder.embed_bias
    assert model.image_teacher.position == 'sincos_2d'
    for teacher in (model.image_teacher, model.video_teacher):
        assert (teacher.target_norm, teacher.last_norm) == ('none', False)
    assert (model.base.distance, model.base.channel_reduction) == ('smooth_l1', 'mean')
    assert model.base.loss_weight == 1 and model.masker.type == 'TubeMasker'


@pytest.mark.parametrize('total', [1, 2, 15, 62, 63, 64, 65, 70])
def test_sampled_frames(cfg, total):
    step = TRANSFORMS.build(dict(steps(cfg)['SampleFrames']))
    starts = set()
    for seed in range(200):
        np.random.seed(seed)
        found = step(dict(total_frames=total, start_index=0))['frame_inds'].tolist()
        starts.add(found[0])
        reached = [i for i in range(found[0], found[0] + FRAMES, 4) if i < total]
        assert found == reached + [reached[-1]] * (16 - len(reached))
    assert starts == set(range(max(total - FRAMES, 0) + 1))


def test_pixels_are_those_of_pillow_without_flip_or_jitter(cfg):
    kinds = list(steps(cfg))
    first, last = kinds.index('VideoDecode') + 1, kinds.index('FormatShape')
    assert kinds[first:last] == ['MultiScaleCrop', 'AntialiasedResize']
    pipeline = Compose([TRANSFORMS.build(dict(steps(cfg)[kind])) for kind in kinds[first:last]])
    frames = [np.random.default_rng(i).integers(0, 256, (320, 426, 3), np.uint8) for i in range(2)]
    sides = set()
    for seed in range(40):
        random.seed(seed)
        results = pipeline(dict(imgs=list(frames), img_shape=(320, 426), modality='RGB'))
        left, top, right, bottom = results['crop_bbox']
        sides |= {right - left, bottom - top}
        crops = [Image.fromarray(frame[top:bottom, left:right]) for frame in frames]
        expected = [crop.resize((224, 224), Image.Resampling.BILINEAR) for crop in crops]
        np.testing.assert_array_equal(results['imgs'], [np.asarray(image) for image in expected])
    assert sides == {320, 280, 240, 211}
