"""Clips as rows of patches."""

import math

import pytest
import torch
from torch import nn

from pmd_mmaction.functional import normalize_pixels, patchify


@pytest.mark.parametrize('tubelet, patch', [(2, 4), (1, 2), (4, 8)])
def test_patchify_times_the_kernel_is_the_convolution(tubelet, patch):
    clips = torch.randn(2, 3, 4, 8, 16, dtype=torch.float64)
    conv = nn.Conv3d(3, 5, (tubelet, patch, patch), (tubelet, patch, patch)).double()
    rows = patchify(clips, tubelet, patch) @ conv.weight.flatten(1).T + conv.bias
    torch.testing.assert_close(rows, conv(clips).flatten(2).transpose(1, 2))


def test_patchify_equals_the_loop():
    channels, tubelet, patch = 2, 2, 3
    clips = torch.randn(1, channels, 4, 6, 9)
    rows = iter(patchify(clips, tubelet, patch)[0])
    for t in range(2):
        for y in range(2):
            for x in range(3):
                expected = [
                    clips[0, c, t * tubelet + dt, y * patch + dy, x * patch + dx]
                    for c in range(channels)
                    for dt in range(tubelet)
                    for dy in range(patch)
                    for dx in range(patch)
                ]
                assert torch.equal(next(rows), torch.stack(expected))
    assert next(rows, None) is None


def test_normalize_pixels_per_patch_and_channel():
    channels, pixels = 3, 8
    patches = 5 * torch.randn(2, 4, channels * pixels, dtype=torch.float64) + 2
    result = normalize_pixels(patches, channels)
    for b in range(2):
        for p in range(4):
            for c in range(channels):
                own = slice(c * pixels, (c + 1) * pixels)
                row = patches[b, p, own].tolist()
                mean = math.fsum(row) / pixels
                # the sample variance, as VideoMAE
                std = math.sqrt(math.fsum((x - mean) ** 2 for x in row) / (pixels - 1))
                expected = [(x - mean) / std for x in row]
                assert result[b, p, own].tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_a_patch_of_one_colour_becomes_zero(dtype):
    greys = (torch.arange(256) / 255).to(dtype).view(1, -1, 1)
    for pixels in (7, 384, 512):
        assert not normalize_pixels(greys.expand(-1, -1, 3 * pixels), 3).any()


def test_a_larger_eps_damps_flat_patches():
    patches = torch.tensor([[[-1.0, 1.0]]])  # its sample deviation is the root of 2
    expected = 1 / (2**0.5 + 3)
    assert normalize_pixels(patches, 1, eps=3)[0, 0].tolist() == pytest.approx(
        [-expected, expected]
    )
