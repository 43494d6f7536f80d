"""Checks of what callers hand to the difficulty table, before anything of it is changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


def video_rows(sample_idx: Sequence[int] | torch.Tensor, num_videos: int) -> np.ndarray:
    """Sample indexes as rows of the table.

    Args:
        sample_idx: Sample index of each clip, length B.
        num_videos: Number of rows of the table.

    Returns:
        The indexes, (B,) int64, in [0, num_videos).

    Raises:
        TypeError: If they are not integers.
        ValueError: If they are not one-dimensional.
        IndexError: If one lies outside of the table.
    """
    rows = _integers(sample_idx, 'sample_idx')
    if rows.ndim != 1:
        raise ValueError(f'sample_idx must be one-dimensional, got shape {rows.shape}')
    outside = (rows < 0) | (rows >= num_videos)
    if outside.any():
        raise IndexError(
            f'sample_idx {rows[outside][0]} is outside of the difficulty table, which has '
            f'{num_videos} videos (0 to {num_videos - 1}). Create the table with the length of '
            'the training set, and take sample_idx from that set, not from a wrapper that '
            'repeats or concatenates it.'
        )
    return rows


def masked_patches(
    masked_index: torch.Tensor, batch: int, num_patches: int
) -> tuple[np.ndarray, np.ndarray]:
    """Masked patches as indexes and as a mask.

    Args:
        masked_index: Masked patches of each clip, (B, M), integer, without repetition in a row.
        batch: The number B of clips.
        num_patches: Number of patches of the table.

    Returns:
        The indexes, (B, M) int64, in [0, num_patches), and the mask, (B, num_patches) bool.

    Raises:
        TypeError: If they are not integers.
        ValueError: If the shape is another one or a row names a patch twice.
        IndexError: If a patch lies outside of the table.
    """
    patches = _integers(masked_index, 'masked_index')
    if patches.ndim != 2 or len(patches) != batch:
        raise ValueError(f'masked_index must have shape ({batch}, M), got {patches.shape}')
    outside = (patches < 0) | (patches >= num_patches)
    if outside.any():
        raise IndexError(
            f'masked_index {patches[outside][0]} is outside of the difficulty table, which has '
            f'{num_patches} patches (0 to {num_patches - 1}). Create the table with the number of '
            'patches of the student.'
        )
    mask = np.zeros((batch, num_patches), bool)
    np.put_along_axis(mask, patches, True, axis=1)
    if np.count_nonzero(mask) != patches.size:
        raise ValueError('masked_index names a patch twice in one row; each patch is masked once')
    return patches, mask


def finite_values(
    smoothed: torch.Tensor, videos: np.ndarray, patches: np.ndarray, num_teachers: int
) -> np.ndarray:
    """Smoothed losses.

    Args:
        smoothed: Smoothed losses, (B, teachers, M), any floating dtype.
        videos: Rows of the table, (B,) int64.
        patches: Masked patches, (B, M) int64.
        num_teachers: Number of teachers of the table.

    Returns:
        The losses, (B, teachers, M) float64, all finite.

    Raises:
        ValueError: If the shape is another one or a value is not finite.
    """
    values = torch.as_tensor(smoothed).detach().to('cpu', torch.float64).numpy()
    expected = (len(videos), num_teachers, patches.shape[1])
    if values.shape != expected:
        raise ValueError(
            f'smoothed must have shape (clips, teachers, masked) = {expected}, got {values.shape}'
        )
    bad = ~np.isfinite(values).all(axis=(1, 2))
    if bad.any():
        raise ValueError(
            f'the smoothed loss of video {videos[bad][0]} is not finite; nothing was written. The '
            'training has diverged or the clip is broken: look at it, lower the learning rate or '
            'clip the gradients.'
        )
    return values


def _integers(values: Sequence[int] | torch.Tensor, name: str) -> np.ndarray:
    """Any integer sequence or tensor as an int64 array; nothing else is cast silently."""
    array = np.asarray(values.cpu() if isinstance(values, torch.Tensor) else values)
    if array.size and array.dtype.kind not in 'iu':
        raise TypeError(f'{name} must be integers, got {array.dtype}')
    return array.astype(np.int64, copy=False)
