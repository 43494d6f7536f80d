"""Check of the sample indexes that callers hand to the difficulty table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


def video_rows(
    sample_idx: Sequence[int] | np.ndarray | torch.Tensor, num_videos: int
) -> np.ndarray:
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
    rows = np.asarray(sample_idx.cpu() if isinstance(sample_idx, torch.Tensor) else sample_idx)
    if rows.size and rows.dtype.kind not in 'iu':  # nothing else is cast silently
        raise TypeError(f'sample_idx must be integers, got {rows.dtype}')
    rows = rows.astype(np.int64, copy=False)
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
