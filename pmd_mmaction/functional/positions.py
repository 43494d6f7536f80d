"""Fixed position encodings of the token grid."""

import torch
import torch.nn.functional as F
from torch import Tensor

POSITIONS = ('sinusoid_1d', 'sincos_3d')


def position_table(position: str, grid: tuple[int, int, int], dims: int) -> Tensor:
    """Fixed position encoding of a token grid, by name.

    Source: :func:`sinusoid_1d` or :func:`sincos_3d`.

    Args:
        position: ``'sinusoid_1d'`` (VideoMAE) or ``'sincos_3d'``.
        grid: tokens along (time, height, width).
        dims: width D.

    Returns:
        ``(1, N, D)`` float32.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> position_table('sinusoid_1d', grid=(8, 14, 14), dims=384).shape
        torch.Size([1, 1568, 384])
    """
    if position == 'sinusoid_1d':
        return sinusoid_1d(grid[0] * grid[1] * grid[2], dims)
    if position == 'sincos_3d':
        return sincos_3d(grid, dims)
    raise ValueError(f'position is {position!r}; it must be one of {POSITIONS}')


def sinusoid_1d(length: int, dims: int) -> Tensor:
    """Sinusoids of the flat token index: ``sin`` and ``cos`` of ``n / 10000^(2 floor(d/2) / D)``.

    Source: Transformer, section 3.5, https://arxiv.org/abs/1706.03762, as used by VideoMAE,
        https://github.com/MCG-NJU/VideoMAE (``get_sinusoid_encoding_table``).

    Args:
        length: number of tokens N.
        dims: width D.

    Returns:
        ``(1, N, D)`` float32 in [-1, 1]; even channels sine, odd channels cosine.

    Example:
        >>> sinusoid_1d(length=2, dims=4)
        tensor([[[0.0000, 1.0000, 0.0000, 1.0000],
                 [0.8415, 0.5403, 0.0100, 0.9999]]])
    """
    channel = torch.arange(dims, dtype=torch.float64)
    rate = torch.pow(10000, -(channel - channel % 2) / dims)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * rate
    table = torch.where(channel % 2 == 0, angle.sin(), angle.cos())
    return table.float()[None]


def sincos_2d(grid: tuple[int, int], dims: int) -> Tensor:
    """Sine-cosine encoding of column and row, half of the channels each.

    Each half has E channels: ``sin`` of ``n / 10000^(2k/E)`` for k < E/2, then the ``cos``.

    Source: https://github.com/facebookresearch/mae (util/pos_embed.py).

    Args:
        grid: tokens along (height, width).
        dims: width D, at least 4; channels left over by a D that is not a multiple of 4 stay 0.

    Returns:
        ``(1, H*W, D)`` float32 in [-1, 1].

    Raises:
        ValueError: if ``dims`` is below 4.

    Example:
        >>> sincos_2d(grid=(1, 2), dims=4)  # two columns of one row
        tensor([[[0.0000, 1.0000, 0.0000, 1.0000],
                 [0.8415, 0.5403, 0.0000, 1.0000]]])
    """
    if dims < 4:
        raise ValueError(f'2D sine-cosine positions need at least 4 channels, not {dims}')
    half = dims // 4 * 2
    return _sincos(grid, dims, (half, half))


def sincos_3d(grid: tuple[int, int, int], dims: int) -> Tensor:
    """Sine-cosine encoding of time, column and row, each in its own channels.

    A quarter of the channels (rounded to an even number) encodes time, the rest is split between
    columns and rows, each encoded as in :func:`sincos_2d`; channels left over stay 0.

    Source: https://github.com/ruiwang2021/mvd (``get_3d_sincos_pos_embed``).

    Args:
        grid: tokens along (time, height, width).
        dims: width D, at least 6.

    Returns:
        ``(1, T*H*W, D)`` float32 in [-1, 1].

    Raises:
        ValueError: if ``dims`` is below 6.

    Example:
        >>> sincos_3d(grid=(2, 1, 1), dims=6)  # two time steps: channels 0 and 1 differ
        tensor([[[0.0000, 1.0000, 0.0000, 1.0000, 0.0000, 1.0000],
                 [0.8415, 0.5403, 0.0000, 1.0000, 0.0000, 1.0000]]])
    """
    if dims < 6:
        raise ValueError(f'3D sine-cosine positions need at least 6 channels, not {dims}')
    time_dims = max(2, dims // 8 * 2)
    space_dims = (dims - time_dims) // 4 * 2
    return _sincos(grid, dims, (time_dims, space_dims, space_dims))


def _sincos(grid: tuple[int, ...], dims: int, widths: tuple[int, ...]) -> Tensor:
    """Sine-cosine encodings of the axes, in the order (time), columns, rows."""
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
    """Interpolates positions to another token grid: bicubic in space, then linear in time.

    Source: ViT, section 3.2, https://arxiv.org/abs/2010.11929, extended to time; sampling with
        ``align_corners=False`` as
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html defines.

    Args:
        table: ``(1, N, D)`` positions of ``grid``.
        grid: tokens along (time, height, width).
        new_grid: tokens along (time, height, width) of the result.

    Returns:
        ``(1, N', D)`` of the same dtype; the table itself if the grids are equal.

    Raises:
        ValueError: if the table does not fit ``grid``.

    Example:
        >>> import torch
        >>> table = torch.tensor([[[0.0], [1.0]]])  # two time steps
        >>> resize_positions(table, grid=(2, 1, 1), new_grid=(4, 1, 1)).flatten()
        tensor([0.0000, 0.2500, 0.7500, 1.0000])
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
