"""Under autocast, on the CPU: every loss in float32 and finite, every gradient finite."""

import pytest
import torch
from mmaction.registry import MODELS

from pmd_mmaction.functional import Phase
from tests.models.recognizers.loops import SEED

PRECISIONS = [torch.bfloat16, torch.float16]


@pytest.fixture
def second_phase(make_recognizer, fake_history):
    """All four terms at work: auxiliary teacher, history, weights of an earlier stage."""

    def make(**overrides):
        model = make_recognizer(**overrides)
        model.promote_student()
        model.set_phase(Phase(1, 0.75, 1, 2), 0.5)
        history = torch.rand(4, 2, 32, generator=torch.Generator().manual_seed(0))
        model.attach_difficulty(fake_history(history, 2 * history))
        return model

    return make


def _step(model, clips, samples, dtype):
    model.seed_masks(0)
    with torch.autocast('cpu', dtype):
        losses = model(clips, samples, mode='loss')
    model.parse_losses(losses)[0].backward()
    return losses


def _check(model, losses):
    for name, value in losses.items():
        assert value.dtype == torch.float32 and value.isfinite(), name
    for name, parameter in model.named_parameters():
        gradient = parameter.grad
        assert gradient.dtype == torch.float32 and gradient.isfinite().all(), name


@pytest.mark.parametrize('dtype', PRECISIONS)
@pytest.mark.parametrize('size', [0.0, 1.0, 100.0])
@pytest.mark.parametrize('align_tokens', ['visible', 'masked'])
def test_pmd(second_phase, random_clips, make_samples, dtype, size, align_tokens):
    model = second_phase(clfa=dict(type='CLFATerm', align_tokens=align_tokens))
    clips = size * random_clips().unsqueeze(1)
    losses = _step(model, clips, make_samples(0, 1), dtype)
    assert len(losses) == 8
    _check(model, losses)
    smoothed = model.pop_patch_losses().smoothed
    assert smoothed.dtype == torch.float32 and smoothed.isfinite().all()


@pytest.mark.parametrize('dtype', PRECISIONS)
def test_raw_features_summed_over_channels(second_phase, random_clips, make_samples, sizes, dtype):
    """The largest losses that a config can ask for."""
    model = second_phase(
        base=dict(channel_reduction='sum'),
        image_teacher=dict(type='TimmImageTeacher', target_norm='none', **sizes.image_teacher),
        video_teacher=dict(type='VideoMAETeacher', target_norm='none', **sizes.video_teacher),
    )
    losses = _step(model, random_clips().unsqueeze(1), make_samples(0, 1), dtype)
    _check(model, losses)


@pytest.mark.parametrize('dtype', PRECISIONS)
@pytest.mark.parametrize('size', [0.0, 1.0, 100.0])
def test_masked_autoencoder(mmaction_scope, random_clips, sizes, dtype, size):
    model = MODELS.build(
        dict(
            type='MaskedAutoencoder',
            backbone=dict(type='MaskedVisionTransformer', use_mean_pooling=False, **sizes.student),
            decoder=dict(type='FeatureDecoder', embed_dims=28, num_heads=2, depth=1),
            masker=dict(type='TubeMasker'),
            mask_ratio=0.75,
        )
    )
    model.init_weights()
    _check(model, _step(model, size * random_clips().unsqueeze(1), [], dtype))


@pytest.mark.parametrize('align_tokens', ['visible', 'masked'])
def test_bfloat16_autocast_keeps_the_losses_in_float32(in_second_phase, batch, align_tokens):
    model, runs = in_second_phase(clfa=dict(type='CLFATerm', align_tokens=align_tokens)), []
    for enabled in (False, True):
        model.seed_masks(SEED)
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            runs.append(model.loss(*batch))
    for name, value in runs[1].items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(runs[0][name].item(), rel=0.1), name
    sum(runs[1].values()).backward()
