"""The mean over the copies of a video in one batch."""

from __future__ import annotations

import numpy as np


def mean_of_copies(
    clips: np.ndarray, values: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge the clips that show the same video.

    Args:
        clips: Video of each clip, (B,) int64.
        values: Values of each clip, (B, teachers, patches) float64, zero where not masked.
        mask: Masked patches of each clip, (B, patches) bool.

    Returns:
        The U different videos, (U,) int64; the mean over those of its clips in which a patch was
        masked, (U, teachers, patches) float64; whether it was masked in any, (U, patches) bool.
    """
    order = np.argsort(clips, kind='stable')
    videos, first = np.unique(clips[order], return_index=True)
    if len(videos) == len(clips):  # the usual case: nothing to merge, save the passes
        return clips, values, mask
    total = np.add.reduceat(values[order], first, axis=0)
    count = np.add.reduceat(mask[order], first, axis=0, dtype=np.int64)
    return videos, total / np.maximum(count, 1)[:, None], count > 0
