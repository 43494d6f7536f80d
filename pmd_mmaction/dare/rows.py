"""New values of whole rows, as ranks exchange them and the table stores them.

A row holds one number per (teacher, patch) in the table's own format, and NaN where the patch was
not masked. So a row needs no index beside it, is scattered on the device that has the losses, and
is merged into the table by one comparison.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pmd_mmaction.dare.layout import TableLayout


def pack_rows(
    masked_index: torch.Tensor, smoothed: torch.Tensor, layout: TableLayout
) -> torch.Tensor:
    """Rows of some clips from the losses of their masked patches.

    Values beyond the range of the table's dtype (65504 for float16) are clamped; non-finite ones
    become infinite, for `infinite_rows` to find. Only shapes are checked, so that the host does not
    wait for the device.

    Args:
        masked_index: Masked patches of each clip, (B, M), integer, in [0, patches), each at most
            once in its row.
        smoothed: Their smoothed losses, (B, teachers, M), floating, on the same device.
        layout: Layout of the table.

    Returns:
        (B, teachers, patches) in the table's dtype, on the same device, NaN where not masked.

    Raises:
        TypeError: If the patches are not integers.
        ValueError: If a shape is wrong.
    """
    kind, batch = masked_index.dtype, len(smoothed)
    if kind == torch.bool or kind.is_floating_point or kind.is_complex:
        raise TypeError(f'masked_index must be integers, got {str(kind).removeprefix("torch.")}')
    if masked_index.ndim != 2 or len(masked_index) != batch:
        shape = tuple(masked_index.shape)
        raise ValueError(f'masked_index must have shape ({batch}, M), got {shape}')
    expected = (batch, layout.num_teachers, masked_index.shape[1])
    if smoothed.shape != expected:
        raise ValueError(
            f'smoothed must have shape (clips, teachers, masked) = {expected}, got '
            f'{tuple(smoothed.shape)}'
        )
    dtype = getattr(torch, layout.dtype)
    limit = torch.finfo(dtype).max
    values = smoothed.detach().clamp(-limit, limit).to(dtype)
    values = values.masked_fill(~smoothed.isfinite(), torch.inf)
    rows = values.new_full((batch, *layout.shape[1:]), torch.nan)
    return rows.scatter_(2, masked_index[:, None].expand(expected).long(), values)


def infinite_rows(rows: torch.Tensor) -> torch.Tensor:
    """Which rows, (B, teachers, patches), hold an infinite value: (B,) bool."""
    return rows.isinf().flatten(1).any(1)


def check_finite(
    videos: Sequence[int] | np.ndarray | torch.Tensor, infinite: np.ndarray | torch.Tensor
) -> None:
    """Refuses a batch with infinite rows.

    Args:
        videos: Sample index of each row, length B.
        infinite: Which rows are infinite, (B,) bool, on the host, see `infinite_rows`.

    Raises:
        ValueError: Naming the first such video.
    """
    bad = np.flatnonzero(infinite)
    if len(bad):
        raise ValueError(
            f'the smoothed loss of video {int(videos[bad[0]])} is not finite; '
            'nothing was written. The training has diverged or the clip is broken: look at it, '
            'lower the learning rate or clip the gradients.'
        )


def merge_copies(videos: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merges the rows of the same video.

    Args:
        videos: Video of each row, (B,) int64.
        rows: (B, teachers, patches), NaN where not masked.

    Returns:
        The U different videos, (U,) int64, and for each the mean over those of its rows in which a
        patch was masked, (U, teachers, patches) in the dtype of `rows`, NaN where it was in none.
    """
    order = np.argsort(videos, kind='stable')
    unique, first = np.unique(videos[order], return_index=True)
    if len(unique) == len(videos):  # the usual case: nothing to merge
        return videos, rows
    values = rows[order].astype(np.float64)
    masked = ~np.isnan(values)
    total = np.add.reduceat(np.where(masked, values, 0), first, axis=0)
    count = np.add.reduceat(masked, first, axis=0, dtype=np.int64)
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return unique, mean.astype(rows.dtype)


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
