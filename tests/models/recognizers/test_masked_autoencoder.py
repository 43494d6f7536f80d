"""MaskedAutoencoder."""

import pytest
import torch
from mmaction.registry import MODELS

IMAGES = dict(num_frames=1, tubelet_size=1)
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
PREPROCESSOR = dict(
    type='ActionDataPreprocessor', mean=MEAN, std=STD, to_rgb=True, format_shape='NCTHW'
)


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
            data_preprocessor=PREPROCESSOR,
        )
        model = MODELS.build({**cfg, **overrides})
        model.init_weights()
        return randomize(model)

    return make


def targets(model, clips):
    """``(B, N, C * P)`` of all patches."""
    return model.teachers['pixel'](clips).features


def patch_pixels(clip, patch, tubelet, channel):
    """The 4 x 4 pixels of a patch in each of its frames, as a flat row."""
    t, rest = divmod(patch, 16)
    y, x = divmod(rest, 4)
    frames = slice(t * tubelet, (t + 1) * tubelet)
    return clip[channel, frames, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4].flatten().double()


@pytest.mark.parametrize('normalize', [True, False])
@pytest.mark.parametrize('backbone', [{}, IMAGES])
def test_loss_equals_the_loop(make, random_clips, normalize, backbone):
    model = make(backbone, normalize_target=normalize, normalize_eps=0.03)
    tubelet = model.backbone.tubelet_size
    clips = 3 * random_clips(frames=model.backbone.num_frames) + 1
    model.seed_masks(3)
    loss = model(clips[:, None], [], mode='loss')
    assert list(loss) == ['loss_pixel']

    order = model.masker.order(2, torch.Generator().manual_seed(3))
    visible, masked = model.masker.view(order, 0.75)
    prediction = model.decoders['pixel'](
        model.backbone.encode(clips, visible).tokens, visible, masked
    )
    errors = []
    for b in range(2):
        for place, patch in enumerate(masked[b].tolist()):
            target = []
            for channel in range(3):
                pixels = patch_pixels(clips[b], patch, tubelet, channel)
                pixels = (pixels * STD[channel] + MEAN[channel]) / 255
                if normalize:
                    pixels = (pixels - pixels.mean()) / (pixels.std() + 0.03)
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


@pytest.mark.parametrize('preprocessor', [PREPROCESSOR, None])
def test_the_target_is_made_of_the_pixels_that_the_reader_gave(make, preprocessor):
    """In [0, 1], whatever the preprocessor made of them."""
    model = make(normalize_target=False, data_preprocessor=preprocessor)
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(256, (1, 3, 4, 16, 16), generator=generator, dtype=torch.uint8)
    clips = model.data_preprocessor(dict(inputs=[frames], data_samples=[None]))['inputs'][0]
    target = targets(model, clips)[0]
    if preprocessor:
        frames = frames.flip(1)  # to_rgb
    for patch in range(model.backbone.num_patches):
        pixels = [patch_pixels(frames[0], patch, 2, channel) / 255 for channel in range(3)]
        torch.testing.assert_close(target[patch].double(), torch.cat(pixels), atol=2e-7, rtol=0)


@pytest.mark.parametrize('dtype', [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('preprocessor', [PREPROCESSOR, None])
def test_a_flat_patch_has_a_target_of_zero_at_every_grey_level(make, dtype, preprocessor):
    model = make(data_preprocessor=preprocessor)
    greys = torch.arange(256, dtype=torch.uint8)
    noise = torch.randint(256, (256, 3, 4, 16, 16), generator=torch.Generator().manual_seed(0))
    for flat in range(3):  # the other channels are noise
        frames = noise.to(torch.uint8)
        frames[:, flat] = greys.view(-1, 1, 1, 1)
        clips = model.data_preprocessor(dict(inputs=[*frames[:, None]], data_samples=[]))['inputs']
        with torch.autocast('cpu', dtype, enabled=dtype is not None):
            target = targets(model, clips.flatten(0, 1)).unflatten(-1, (3, -1))
        assert target.dtype == torch.float32
        order = [2, 1, 0] if preprocessor else [0, 1, 2]  # to_rgb
        for channel, place in enumerate(order):
            assert target[:, :, place].any().item() == (channel != flat)


def test_a_flat_clip_in_half_precision_has_a_target_of_zero(make):
    model = make()
    clips = torch.linspace(-2, 2.6, 256).view(-1, 1, 1, 1, 1).expand(-1, 3, 4, 16, 16)
    for dtype in (torch.bfloat16, torch.float16):
        assert not targets(model, clips.to(dtype)).any()


def test_black_bars_do_not_move_the_gradient(make, random_clips):
    """Where nothing but bars is masked, the best prediction is zero."""
    model = make()
    clips = torch.full((2, 1, 3, 4, 16, 16), -2.1179)
    torch.nn.init.zeros_(model.decoders['pixel'].head.weight)
    torch.nn.init.zeros_(model.decoders['pixel'].head.bias)
    loss = model.loss(clips, [])['loss_pixel']
    loss.backward()
    assert loss.item() == 0
    assert not any(p.grad.any() for p in model.parameters() if p.grad is not None)


def test_a_ratio_that_the_grid_cannot_give_is_refused(make):
    with pytest.raises(ValueError, match=r'mask_ratio 0\.01'):
        make(mask_ratio=0.01)
