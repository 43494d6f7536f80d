"""Upsampling of values on the patch grid to the clip's resolution."""

import numpy as np


def upsample_patches(
    values: np.ndarray, token_grid: tuple[int, int, int], shape: tuple[int, int, int]
) -> np.ndarray:
    """Repeats each patch's value over its pixels.

    Args:
        values: ``(N,)`` values in patch order (time, rows, columns).
        token_grid: tokens along (time, height, width).
        shape: (T, H, W) of the clip; multiples of the grid.

    Returns:
        ``(T, H, W)`` array.
    """
    grid = values.reshape(token_grid)
    for axis, (tokens, size) in enumerate(zip(token_grid, shape)):
        grid = grid.repeat(size // tokens, axis=axis)
    return grid
