"""Distances per patch against loops in double precision."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from pmd_mmaction.functional import masked_mean, normalize_target, patch_distance

OPTIONS = [(d, r) for d in ('l2', 'smooth_l1') for r in ('mean', 'sum')]


def loop_distance(prediction, target, distance, reduction):
    """The losses and their derivatives by the prediction, one number at a time."""
    clips, patches, channels = prediction.shape
    losses = torch.zeros(clips, patches, dtype=torch.float64)
    slopes = torch.zeros(clips, patches, channels, dtype=torch.float64)
    share = 1 / channels if reduction == 'mean' else 1
    for b in range(clips):
        for p in range(patches):
            for c in range(channels):
                error = float(prediction[b, p, c]) - float(target[b, p, c])
                if distance == 'l2':
                    value, slope = error**2, 2 * error
                elif abs(error) < 1:
                    value, slope = error**2 / 2, error
                else:
                    value, slope = abs(error) - 0.5, math.copysign(1, error)
                losses[b, p] += share * value
                slopes[b, p, c] = share * slope
    return losses, slopes


def random_pair():
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.randn(2, 2, 3, 5, generator=generator)


@pytest.mark.parametrize('distance, reduction', OPTIONS)
def test_patch_distance_and_its_gradient_equal_the_loop(distance, reduction):
    prediction, target = random_pair()
    prediction.requires_grad_()
    loss = patch_distance(prediction, target, distance, reduction)
    (slopes,) = torch.autograd.grad(loss.sum(), prediction)
    losses, expected = loop_distance(prediction.detach(), target, distance, reduction)
    torch.testing.assert_close(loss.double(), losses, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(slopes.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('reduction', ['mean', 'sum'])
def test_l2_passes_gradcheck(reduction):
    prediction, target = random_pair().double()
    # Central differences of a quadratic are exact, so a step far above float32 rounding serves.
    assert gradcheck(
        lambda x: patch_distance(x, target, 'l2', reduction),
        prediction.requires_grad_(),
        eps=0.1,
        atol=1e-4,
    )


def test_default_is_the_mean_squared_error():
    prediction, target = random_pair()
    losses, _ = loop_distance(prediction, target, 'l2', 'mean')
    torch.testing.assert_close(patch_distance(prediction, target).double(), losses)


def test_low_precision_is_reduced_in_float32():
    prediction = torch.full((1, 1, 768), 0.1, dtype=torch.bfloat16)
    loss = patch_distance(prediction, torch.zeros_like(prediction), 'l2', 'sum')
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(768 * prediction[0, 0, 0].item() ** 2, rel=1e-5)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r'\(2, 3, 4\).*\(2, 3, 1\)'):
        patch_distance(torch.zeros(2, 3, 4), torch.zeros(2, 3, 1))


@pytest.mark.parametrize('options', [dict(distance='l1'), dict(channel_reduction='max')])
def test_unknown_option_is_named(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name} is '{value}'"):
        patch_distance(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1), **options)


def test_normalize_target_equals_the_loop():
    features = 3 * torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1)) + 5
    result = normalize_target(features)
    for b in range(2):
        for p in range(3):
            row = [float(x) for x in features[b, p]]
            mean = math.fsum(row) / len(row)
            std = math.sqrt(math.fsum((x - mean) ** 2 for x in row) / len(row))
            expected = torch.tensor([(x - mean) / std for x in row])
            torch.testing.assert_close(result[b, p], expected, rtol=1e-4, atol=1e-5)


def test_normalize_target_of_a_constant_token_is_zero():
    assert torch.equal(normalize_target(torch.full((1, 1, 8), 7.0)), torch.zeros(1, 1, 8))


def test_channel_norm_equals_the_loop():
    features = 3 * torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1)) + 5
    result = normalize_target(features, 'channel_norm')
    for b in range(2):
        for c in range(3):
            column = [float(x) for x in features[b, :, c]]
            mean = math.fsum(column) / len(column)
            std = math.sqrt(math.fsum((x - mean) ** 2 for x in column) / (len(column) - 1))
            expected = torch.tensor([(x - mean) / (std + 1e-6) for x in column])
            torch.testing.assert_close(result[b, :, c], expected, rtol=1e-4, atol=1e-5)


def test_channel_norm_in_half_precision_is_computed_in_full():
    features = torch.tensor([2048.0, *[2050.0] * 7]).view(1, 8, 1).half()  # mean 2049.75
    result = normalize_target(features, 'channel_norm')
    assert result.dtype == torch.float16
    torch.testing.assert_close(result, normalize_target(features.float(), 'channel_norm').half())


def test_raw_targets_are_untouched():
    features = torch.randn(2, 3, 4)
    assert torch.equal(normalize_target(features, 'none'), features)


def test_unknown_target_norm_is_named():
    with pytest.raises(ValueError, match="target_norm is 'batch_norm'"):
        normalize_target(torch.zeros(1, 1), 'batch_norm')


def test_masked_mean_equals_the_loop():
    losses = torch.rand(3, 4, dtype=torch.float64)
    expected = sum(sum(float(x) for x in row) / 4 for row in losses) / 3
    assert masked_mean(losses).item() == pytest.approx(expected)


def test_masked_mean_of_the_counted_patches_is_that_of_the_whole_batch():
    losses = torch.tensor([[1.0, 2.0, 4.0], [8.0, float('inf'), 16.0]])
    counted = torch.tensor([[True, True, True], [False, False, True]])
    assert masked_mean(losses, counted).item() == (1 + 2 + 4 + 16) / 4
