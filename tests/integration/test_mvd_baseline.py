"""The MVD baseline against MVD's settings (test_mvd_golden.py has the maths)."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from PIL import Image
from safetensors import safe_open

from tests.integration import tiny

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden' / 'mvd.safetensors'
FRAMES = 16 * 4


@pytest.fixture(scope='module')
def cfg():
    init_default_scope('mmaction')
    return Config.fromfile(tiny.CONFIGS / 'baselines' / 'mvd_vit-b_k400_pretrain.py')


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


def test_the_step_is_of_1024_clips_at_their_rate(cfg):
    loader, wrapper, scale = cfg.train_dataloader, cfg.optim_wrapper, cfg.auto_scale_lr
    clips = 8 * loader.batch_size
    assert clips * wrapper.accumulative_counts == 1024
    assert loader.batch_sampler.accumulative_counts == wrapper.accumulative_counts
    peak = wrapper.optimizer.lr * clips / scale.base_batch_size  # as MMEngine scales
    assert peak == pytest.approx(1.5e-4 * 1024 / 256)
    assert wrapper.optimizer == dict(type='AdamW', lr=1.5e-4, betas=(0.9, 0.95), weight_decay=0.05)
    assert 'clip_grad' not in wrapper


def test_the_schedule_is_that_of_mvds_code(cfg):
    with safe_open(GOLDEN, 'pt') as file:
        numbers = [file.get_tensor(f'sched.published.{key}').tolist() for key in ('iters', 'lr')]
    recorded = dict(zip(*numbers))
    length = 234
    last = 400 * length - 1
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=6e-4)
    schedulers = [
        PARAM_SCHEDULERS.build(
            scheduler, default_args=dict(optimizer=optimizer, epoch_length=length)
        )
        for scheduler in cfg.param_scheduler
    ]
    checked = 0
    for iteration in range(last + 1):
        if iteration in recorded:
            rate = optimizer.param_groups[0]['lr']
            assert rate == pytest.approx(recorded[iteration], rel=1e-5, abs=1e-10), iteration
            checked += 1
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert checked >= 8


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
