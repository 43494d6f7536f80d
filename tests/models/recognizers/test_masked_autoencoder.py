"""MaskedAutoencoder."""

import pytest
import torch
from mmaction.registry import MODELS

IMAGES = dict(num_frames=1, tubelet_size=1)


@pytest.fixture
def make(sizes, randomize):
    def make(backbone=None, **overrides):
        cfg = dict(
            type='MaskedAutoencoder',
            backbone=dict(
                type='MaskedVisionTransformer',
                **{**sizes.student, 'use_mean_pooling': False, **(backbone or {})},
            ),
            decoder=dict(type='FeatureDecoder', embed_dims=28, num_heads=2, depth=1),
            masker=dict(type='TubeMasker'),
            mask_ratio=0.75,
        )
        model = MODELS.build({**cfg, **overrides})
        model.init_weights()
        return randomize(model)

    return make


def patch_pixels(clip, patch, tubelet, channel):
    """The 4 x 4 pixels of a patch in each of its frames, as a flat row."""
    t, rest = divmod(patch, 16)
    y, x = divmod(rest, 4)
    frames = slice(t * tubelet, (t + 1) * tubelet)
    return clip[channel, frames, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4].flatten().double()


@pytest.mark.parametrize('normalize', [True, False])
@pytest.mark.parametrize('backbone', [{}, IMAGES])
def test_loss_equals_the_loop(make, random_clips, normalize, backbone):
    model = make(backbone, normalize_target=normalize, normalize_eps=0.1)
    tubelet = model.backbone.tubelet_size
    clips = 3 * random_clips(frames=model.backbone.num_frames) + 1
    model.seed_masks(3)
    loss = model(clips[:, None], [], mode='loss')
    assert list(loss) == ['loss_pixel']

    order = model.masker.order(2, torch.Generator().manual_seed(3))
    hidden = model.masker.view(order, 0.75).masked
    mask = torch.zeros(2, model.backbone.num_patches, dtype=torch.bool).scatter(1, hidden, True)
    visible = torch.stack([(~row).nonzero().flatten() for row in mask])
    masked = torch.stack([row.nonzero().flatten() for row in mask])
    prediction = model.decoder(model.backbone.encode(clips, visible).tokens, visible, masked)
    errors = []
    for b in range(2):
        for place, patch in enumerate(masked[b].tolist()):
            target = []
            for channel in range(3):
                pixels = patch_pixels(clips[b], patch, tubelet, channel)
                if normalize:
                    pixels = (pixels - pixels.mean()) / (pixels.std() + 0.1)
                target.append(pixels)
            errors.append((prediction[b, place] - torch.cat(target)).square().mean())
    assert loss['loss_pixel'].item() == pytest.approx(torch.stack(errors).mean().item(), rel=1e-4)


@pytest.mark.parametrize('backbone', [{}, IMAGES])
def test_every_parameter_gets_a_gradient(make, random_clips, backbone):
    model = make(backbone)
    clips = random_clips(frames=model.backbone.num_frames)
    model.loss(clips[:, None], [])['loss_pixel'].backward()
    parameters = model.named_parameters()
    assert [n for n, p in parameters if p.grad is None or not p.grad.any()] == []


@torch.no_grad()
def test_an_image_model_looks_at_single_frames(make, random_clips):
    model = make(IMAGES)
    assert model.backbone.token_grid == (1, 4, 4)
    assert model(random_clips(frames=1)[:, None], mode='tensor').shape == (2, 24)


def test_the_same_seed_gives_the_same_loss(make, random_clips):
    model, losses = make(), []
    for seed in (1, 1, 2):
        model.seed_masks(seed)
        losses.append(model.loss(random_clips()[:, None], [])['loss_pixel'].item())
    assert losses[0] == losses[1] != losses[2]


def test_a_ratio_that_the_grid_cannot_give_is_refused(make):
    with pytest.raises(ValueError, match=r'mask_ratio 0\.01'):
        make(mask_ratio=0.01)
