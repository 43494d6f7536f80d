"""Boxes of moving objects: shapes, sizes that change, angles."""

from typing import Sequence

import numpy as np
from numpy.random import RandomState

from pmd_mmaction.transforms.motion.key_frames import fill_between

RATIOS = (0.5, 0.67, 0.75, 1.0, 1.33, 1.5, 2.0)  # width over height


def anchor_shapes(scales: Sequence[float]) -> np.ndarray:
    """Shapes of every ratio and scale: ``scale * sqrt(ratio)`` by ``scale / sqrt(ratio)``.

    Args:
        scales: square roots of the areas, in pixels.

    Returns:
        ``(7 * scales, 2)`` widths and heights.
    """
    roots = np.sqrt(RATIOS)[:, None]
    return np.stack([roots * scales, 1 / roots * scales], -1).reshape(-1, 2)


def draw_shape(scales: Sequence[float], jitter: float, rng: RandomState) -> np.ndarray:
    """``(2,)`` width and height: an anchor, each side times ``exp(U(-jitter, jitter))``."""
    anchors = anchor_shapes(scales)
    return anchors[rng.randint(len(anchors))] * np.exp(rng.uniform(-jitter, jitter, 2))


def draw_sizes(
    shape: np.ndarray,
    key_frames: Sequence[int],
    kinds: Sequence[str],
    rate: float,
    rng: RandomState,
) -> np.ndarray:
    """Sizes that change by ``exp(U(-rate, rate) * frames)`` from key frame to key frame.

    Args:
        shape: ``(2,)`` width and height in the first frame.
        key_frames: of the clip.
        kinds: of the intervals.
        rate: largest change of the logarithm per frame.
        rng: source of randomness.

    Returns:
        ``(T, 2)`` widths and heights.
    """
    steps = np.diff(key_frames)[:, None] * rng.uniform(-rate, rate, (len(kinds), 2))
    logarithms = np.concatenate([np.zeros((1, 2)), steps.cumsum(0)])
    return fill_between(shape * np.exp(logarithms), key_frames, kinds)


def draw_angles(
    key_frames: Sequence[int], kinds: Sequence[str], rate: float, rng: RandomState
) -> np.ndarray:
    """``(T,)`` degrees, 0 in the first frame, changing by up to ``rate`` per frame."""
    steps = np.diff(key_frames) * rng.uniform(-rate, rate, len(kinds))
    return fill_between(np.concatenate([[0.0], steps.cumsum()]), key_frames, kinds)


def boxes_around(centres: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Boxes of sizes around centres.

    Args:
        centres: ``(T, 2)`` (x, y).
        sizes: ``(T, 2)`` (width, height).

    Returns:
        ``(T, 4)`` float (x1, y1, x2, y2), which may leave the frame.
    """
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], -1)


def round_boxes(boxes: np.ndarray) -> np.ndarray:
    """Boxes on whole pixels, int64."""
    return np.round(boxes).astype(np.int64)
