"""Position encodings."""

import math

import pytest
import torch
from mmaction.models.backbones.vit_mae import get_sinusoid_encoding

from pmd_mmaction.functional import (
    position_table,
    resize_positions,
    sincos_2d,
    sincos_3d,
    sinusoid_1d,
)


@pytest.mark.parametrize('length, dims', [(1568, 96), (7, 6), (5, 9)])
def test_sinusoid_equals_mmaction(length, dims):
    expected = get_sinusoid_encoding(length, dims)
    torch.testing.assert_close(sinusoid_1d(length, dims), expected, rtol=0, atol=1e-6)


def loop_sincos(grid, dims):
    """Time has a quarter of the channels, columns and rows share the rest; sines come first."""
    widths = [max(2, dims // 4 // 2 * 2)]
    widths += [(dims - widths[0]) // 2 // 2 * 2] * 2
    rows = []
    for t in range(grid[0]):
        for y in range(grid[1]):
            for x in range(grid[2]):
                row = []
                for place, width in zip((t, x, y), widths):
                    half = width // 2
                    angles = [place * 10000 ** (-i / half) for i in range(half)]
                    row += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
                rows.append(row + [0.0] * (dims - len(row)))
    return torch.tensor([rows])


@pytest.mark.parametrize('grid, dims', [((2, 3, 4), 24), ((3, 2, 2), 6), ((2, 2, 5), 13)])
def test_sincos_equals_the_loop(grid, dims):
    torch.testing.assert_close(sincos_3d(grid, dims), loop_sincos(grid, dims), rtol=0, atol=1e-6)


@pytest.mark.parametrize('grid, dims', [((3, 4), 24), ((2, 5), 4), ((4, 4), 14)])
def test_sincos_of_a_picture_is_that_of_one_frame_without_time(grid, dims):
    half = dims // 4
    expected = []
    for y in range(grid[0]):
        for x in range(grid[1]):
            row = []
            for place in (x, y):
                angles = [place * 10000 ** (-i / half) for i in range(half)]
                row += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            expected.append(row + [0.0] * (dims - len(row)))
    torch.testing.assert_close(sincos_2d(grid, dims), torch.tensor([expected]), rtol=0, atol=1e-6)


@pytest.mark.parametrize('table', [sincos_3d((8, 14, 14), 96), sinusoid_1d(1568, 96)])
def test_every_patch_has_its_own_position(table):
    assert table.shape == (1, 1568, 96)
    assert len(torch.unique(table[0], dim=0)) == 1568


def test_too_few_channels_are_named():
    with pytest.raises(ValueError, match='not 5'):
        sincos_3d((1, 2, 2), 5)
    with pytest.raises(ValueError, match='not 3'):
        sincos_2d((2, 2), 3)


def test_positions_by_name():
    assert torch.equal(position_table('sinusoid_1d', (2, 3, 4), 8), sinusoid_1d(24, 8))
    assert torch.equal(position_table('sincos_3d', (2, 3, 4), 8), sincos_3d((2, 3, 4), 8))
    with pytest.raises(ValueError, match="position is 'rotary'"):
        position_table('rotary', (2, 3, 4), 8)


# --- another grid ---


def test_the_same_grid_changes_nothing():
    table = torch.randn(1, 24, 5)
    assert resize_positions(table, (2, 3, 4), (2, 3, 4)) is table


@pytest.mark.parametrize('new_grid', [(4, 6, 8), (2, 10, 3), (5, 3, 4)])
def test_axes_do_not_mix(new_grid):
    """Channels that depend on one axis only must go on doing so, and rise along it."""
    grid = (4, 6, 8)
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in grid), indexing='ij')
    table = torch.stack([axis.flatten() for axis in axes], -1)[None]
    resized = resize_positions(table, grid, new_grid)[0].unflatten(0, new_grid)
    for axis in range(3):
        values = resized[..., axis].movedim(axis, 0).flatten(1)
        torch.testing.assert_close(values, values[:, :1].expand_as(values))
        assert (values[:, 0].diff() > 0).all()


def test_halving_time_takes_the_mean_of_neighbours():
    table = torch.randn(1, 4 * 2 * 3, 7)
    pairs = table.view(1, 2, 2, 6, 7).mean(2).view(1, 12, 7)
    torch.testing.assert_close(resize_positions(table, (4, 2, 3), (2, 2, 3)), pairs)


def test_space_is_bicubic():
    upsample = torch.nn.Upsample((7, 5), mode='bicubic')
    table = torch.randn(1, 2 * 4 * 4, 3)
    expected = torch.stack(
        [upsample(frame.view(4, 4, 3).permute(2, 0, 1)[None])[0] for frame in table.view(2, 16, 3)]
    )
    found = resize_positions(table, (2, 4, 4), (2, 7, 5))
    torch.testing.assert_close(found, expected.permute(0, 2, 3, 1).reshape(1, 70, 3))


def test_a_table_of_another_grid_is_refused():
    with pytest.raises(ValueError, match='24 positions do not fit a token grid of 2 x 3 x 5'):
        resize_positions(torch.zeros(1, 24, 5), (2, 3, 5), (2, 3, 4))
