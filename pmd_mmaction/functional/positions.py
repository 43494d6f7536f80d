"""Fixed position encodings of the token grid."""

import torch
import torch.nn.functional as F
from torch import Tensor

POSITIONS = ('sinusoid_1d', 'sincos_3d')


def position_table(position: str, grid: tuple[int, int, int], dims: int) -> Tensor:
    """The fixed positions of a token grid by name.

    Args:
        position: ``'sinusoid_1d'`` (VideoMAE) or ``'sincos_3d'``.
        grid: tokens along (time, height, width).
        dims: width D.

    Returns:
        ``(1, N, D)`` float32.

    Raises:
        ValueError: for an unknown name.
    """
    if position == 'sinusoid_1d':
        return sinusoid_1d(grid[0] * grid[1] * grid[2], dims)
    if position == 'sincos_3d':
        return sincos_3d(grid, dims)
    raise ValueError(f'position is {position!r}; it must be one of {POSITIONS}')


def sinusoid_1d(length: int, dims: int) -> Tensor:
    """Sinusoid over the flat token index, as VideoMAE uses.

    Args:
        length: number of tokens N.
        dims: width D.

    Returns:
        ``(1, N, D)`` float32 in [-1, 1]; even channels sine, odd channels cosine.
    """
    channel = torch.arange(dims, dtype=torch.float64)
    rate = torch.pow(10000, -(channel - channel % 2) / dims)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * rate
    table = torch.where(channel % 2 == 0, angle.sin(), angle.cos())
    return table.float()[None]


def sincos_2d(grid: tuple[int, int], dims: int) -> Tensor:
    """Sine-cosine of column and row, half of the channels each, as MAE uses.

    Args:
        grid: tokens along (height, width).
        dims: width D, at least 4; channels left over by a D that is no multiple of 4 stay 0.

    Returns:
        ``(1, H*W, D)`` float32 in [-1, 1].

    Raises:
        ValueError: if ``dims`` is below 4.
    """
    if dims < 4:
        raise ValueError(f'2D sine-cosine positions need at least 4 channels, not {dims}')
    half = dims // 4 * 2
    return _sincos(grid, dims, (half, half))


def sincos_3d(grid: tuple[int, int, int], dims: int) -> Tensor:
    """Sine-cosine of time, column and row, each on its own channels, as MVD uses.

    A quarter of the channels (rounded to an even number) codes time, the rest is shared
    by columns and rows; channels left over by the rounding stay 0.

    Args:
        grid: tokens along (time, height, width).
        dims: width D, at least 6.

    Returns:
        ``(1, T*H*W, D)`` float32 in [-1, 1].

    Raises:
        ValueError: if ``dims`` is below 6.
    """
    if dims < 6:
        raise ValueError(f'3D sine-cosine positions need at least 6 channels, not {dims}')
    time_dims = max(2, dims // 8 * 2)
    space_dims = (dims - time_dims) // 4 * 2
    return _sincos(grid, dims, (time_dims, space_dims, space_dims))


def _sincos(grid: tuple[int, ...], dims: int, widths: tuple[int, ...]) -> Tensor:
    """Sines and cosines of each axis: time, if there is one, then columns, then rows."""
    places = (torch.arange(n, dtype=torch.float64) for n in grid)
    *time, row, column = torch.meshgrid(*places, indexing='ij')
    table = torch.zeros(row.numel(), dims, dtype=torch.float64)
    start = 0
    for axis, width in zip((*time, column, row), widths):
        half = width // 2
        rate = torch.pow(10000, -torch.arange(half, dtype=torch.float64) / half)
        angle = axis.reshape(-1, 1) * rate
        table[:, start : start + width] = torch.cat([angle.sin(), angle.cos()], 1)
        start += width
    return table.float()[None]


def resize_positions(
    table: Tensor, grid: tuple[int, int, int], new_grid: tuple[int, int, int]
) -> Tensor:
    """Interpolates positions to another token grid: bicubic in space, linear in time.

    Args:
        table: ``(1, N, D)`` positions of ``grid``.
        grid: tokens along (time, height, width).
        new_grid: wanted tokens along (time, height, width).

    Returns:
        ``(1, N', D)`` of the same dtype; the table itself if the grids are equal.

    Raises:
        ValueError: if the table does not fit ``grid``.
    """
    t, h, w = grid
    if table.shape[1] != t * h * w:
        raise ValueError(f'{table.shape[1]} positions do not fit a token grid of {t} x {h} x {w}')
    if tuple(grid) == tuple(new_grid):
        return table
    x = table.float().unflatten(1, (t, h, w))[0].permute(0, 3, 1, 2)  # T D H W
    x = F.interpolate(x, tuple(new_grid[1:]), mode='bicubic', align_corners=False)
    x = x.permute(2, 3, 1, 0).flatten(0, 1)  # HW D T
    x = F.interpolate(x, new_grid[0], mode='linear', align_corners=False)
    return x.permute(2, 0, 1).flatten(0, 1)[None].to(table.dtype)
