"""Plots of the difficulty of a video's patches."""

from typing import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from pmd_mmaction.visualization.patches import upsample_patches


def plot_difficulty(
    clips: Sequence[np.ndarray],
    difficulty: Sequence[Mapping[str, np.ndarray]],
    token_grid: tuple[int, int, int],
) -> Figure:
    """The middle frame of some clips with the smoothed loss of each teacher over it.

    Args:
        clips: ``(T, H, W, 3)`` uint8 frames each.
        difficulty: for each clip, teacher name to ``(N,)`` smoothed losses >= 0; 0 means
            never masked.
        token_grid: tokens along (time, height, width).

    Returns:
        Figure with one row per clip.
    """
    names = list(difficulty[0])
    figure = Figure(figsize=(2 + 2.2 * len(names), 1.8 * len(clips)), layout='constrained')
    axes = figure.subplots(len(clips), 1 + len(names), squeeze=False)
    for row, clip, values in zip(axes, clips, difficulty):
        middle = clip.shape[0] // 2
        row[0].imshow(clip[middle])
        for axis, name in zip(row[1:], names):
            heat = upsample_patches(values[name], token_grid, clip.shape[:3])[middle]
            top = max(float(np.max(values[name])), 1e-6)
            axis.imshow(clip[middle].mean(-1), cmap='gray')
            picture = axis.imshow(heat, cmap='inferno', alpha=0.6, vmin=0, vmax=top)
            figure.colorbar(picture, ax=axis, shrink=0.8)
    for axis, title in zip(axes[0], ['frame', *(f'{name} teacher' for name in names)]):
        axis.set_title(title, fontsize=9)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    return figure
