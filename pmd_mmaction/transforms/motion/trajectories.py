"""Smooth random paths of an object's centre."""

import numpy as np
from numpy.random import RandomState
from scipy.ndimage import gaussian_filter1d

POINTS = 3  # random points for each frame
SMALLEST, LARGEST = 40 / 224, 180 / 224  # extent of a path over the frame's short side


def draw_centres(frames: int, height: int, width: int, rng: RandomState) -> np.ndarray:
    """A smooth random path.

    Args:
        frames: T.
        height: of a frame, in pixels.
        width: of a frame.
        rng: source of randomness.

    Returns:
        ``(T, 2)`` int64 centres (x, y), inside the frame.
    """
    side = min(height, width)
    points = rng.random_sample((2, POINTS * frames))
    smoothed = gaussian_filter1d(points, sigma=frames / 2, mode='reflect')
    extent = rng.randint(round(SMALLEST * side), round(LARGEST * side))
    shift = [rng.randint(0, length - extent) for length in (width, height)]
    return place(smoothed, extent, shift, frames, (width, height))


def place(
    smoothed: np.ndarray, extent: int, shift: np.ndarray, frames: int, size: tuple[int, int]
) -> np.ndarray:
    """A smoothed path as centres in the frame.

    Each axis is stretched to ``[0, extent]``, shifted and cut at the border; T evenly spaced
    points are picked.

    Args:
        smoothed: ``(2, P)`` path (x, y) in any unit.
        extent: in pixels.
        shift: (x, y) in pixels.
        frames: T.
        size: (width, height) of a frame.

    Returns:
        ``(T, 2)`` int64 centres (x, y).
    """
    low, high = smoothed.min(1, keepdims=True), smoothed.max(1, keepdims=True)
    path = (smoothed - low) / (high - low) * extent + np.reshape(shift, (2, 1))
    path = np.clip(path, 0, np.reshape(size, (2, 1)) - 1)
    picked = np.round(np.linspace(0, smoothed.shape[1] - 1, frames)).astype(int)
    return path[:, picked].T.astype(np.int64)
