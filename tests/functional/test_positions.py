"""Position encodings."""

import math

import pytest
import torch
from mmaction.models.backbones.vit_mae import get_sinusoid_encoding

from pmd_mmaction.functional import position_table, sincos_3d, sinusoid_1d


@pytest.mark.parametrize('length, dims', [(1568, 96), (7, 6), (5, 9)])
def test_sinusoid_equals_mmaction(length, dims):
    expected = get_sinusoid_encoding(length, dims)
    torch.testing.assert_close(sinusoid_1d(length, dims), expected, rtol=0, atol=1e-6)


def loop_sincos(grid, dims):
    """Time has a quarter of the channels, rows and columns share the rest; sines come first."""
    widths = [max(2, dims // 4 // 2 * 2)]
    widths += [(dims - widths[0]) // 2 // 2 * 2] * 2
    rows = []
    for t in range(grid[0]):
        for y in range(grid[1]):
            for x in range(grid[2]):
                row = []
                for place, width in zip((t, y, x), widths):
                    half = width // 2
                    angles = [place * 10000 ** (-i / half) for i in range(half)]
                    row += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
                rows.append(row + [0.0] * (dims - len(row)))
    return torch.tensor([rows])


@pytest.mark.parametrize('grid, dims', [((2, 3, 4), 24), ((3, 2, 2), 6), ((2, 2, 5), 13)])
def test_sincos_equals_the_loop(grid, dims):
    torch.testing.assert_close(sincos_3d(grid, dims), loop_sincos(grid, dims), rtol=0, atol=1e-6)


@pytest.mark.parametrize('table', [sincos_3d((8, 14, 14), 96), sinusoid_1d(1568, 96)])
def test_every_patch_has_its_own_position(table):
    assert table.shape == (1, 1568, 96)
    assert len(torch.unique(table[0], dim=0)) == 1568


def test_too_few_channels_are_named():
    with pytest.raises(ValueError, match='not 5'):
        sincos_3d((1, 2, 2), 5)


def test_positions_by_name():
    assert torch.equal(position_table('sinusoid_1d', (2, 3, 4), 8), sinusoid_1d(24, 8))
    assert torch.equal(position_table('sincos_3d', (2, 3, 4), 8), sincos_3d((2, 3, 4), 8))
    with pytest.raises(ValueError, match="position is 'rotary'"):
        position_table('rotary', (2, 3, 4), 8)
