"""Combinations of methods make a step."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from pmd_mmaction.functional import Phase
from tests.integration import tiny


def small(name: str, sizes) -> dict:
    """The model of a config in a size for tests, without checkpoints."""
    model = Config.fromfile(tiny.CONFIGS / name).model
    model.backbone.update(sizes.student)
    model.decoder.update(embed_dims=28, num_heads=2, depth=1)
    if 'image_teacher' in model:
        model.image_teacher = dict(type='TimmImageTeacher', **sizes.image_teacher)
        model.video_teacher.update(checkpoint=None, **sizes.video_teacher)
    else:
        model.teachers.vid.update(checkpoint=None, **sizes.video_teacher)
        model.terms[1].update(pairs=[(2, 0), (5, 2)], generator=dict(depth=1, num_heads=2))
    return model


def step(model, clips, samples, history, ratio):
    """Losses of a step, their gradients, and what the difficulty table gets."""
    model.set_phase(Phase(0, ratio, 0, 1))
    model.attach_difficulty(history)
    losses = model.loss(clips[:, None], samples)
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    return losses, model.pop_patch_losses()


@pytest.mark.parametrize('ratio', [0.75, 0.9])
def test_amd_with_the_curriculum_and_dare(sizes, random_clips, make_samples, fake_history, ratio):
    model = small('amd/vit-b_k400_pretrain_pmd.py', sizes)
    model.views.teacher.mask_ratio = 0.5
    model = MODELS.build(model)
    history = fake_history(torch.zeros(4, 1, 32))
    losses, patches = step(model, random_clips(), make_samples(3, 1), history, ratio)
    assert losses.keys() == {
        *('loss_pixel', 'loss_align_direct_vid', 'loss_align_generation_vid', 'loss_df_pixel')
    }
    assert patches.smoothed.shape == (2, 1, 24 if ratio == 0.75 else 28)
    assert model.difficulty_spec.num_teachers == 1


def test_pmd_with_dual_masking(sizes, random_clips, make_samples, fake_history):
    model = MODELS.build(small('pmd/vit-b_k400_pretrain_dual-masking.py', sizes))
    history = fake_history(torch.zeros(4, 2, 32))
    losses, patches = step(model, random_clips(), make_samples(3, 1), history, 0.75)
    assert {f'loss_{term}_vid' for term in ('base', 'pg', 'df', 'al')} <= losses.keys()
    assert patches.masked_index.shape == (2, 12)  # half of 24


COMBINATIONS = [
    'amd/vit-b_k400_pretrain_pmd.py',
    *(f'pmd/vit-b_k400_pretrain_{part}-teacher.py' for part in ('clip', 'dinov2', 'dinov3')),
    *(f'pmd/vit-b_k400_pretrain_{part}.py' for part in ('dual-masking', 'motion')),
]


@pytest.mark.parametrize('name', COMBINATIONS)
def test_a_combination_is_short(name):
    text = (tiny.CONFIGS / name).read_text(encoding='utf-8')
    assert len(text.splitlines()) <= 15
