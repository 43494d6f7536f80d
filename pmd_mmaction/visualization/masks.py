"""Plots of what the student sees in each phase."""

from typing import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from pmd_mmaction.visualization.patches import upsample_patches

GREY = 127


def plot_masks(
    clip: np.ndarray, masks: Mapping[str, np.ndarray], token_grid: tuple[int, int, int]
) -> Figure:
    """The clip, and below it the clip under each mask.

    Args:
        clip: ``(T, H, W, 3)`` uint8 frames.
        masks: row label to ``(N,)`` bool, True = masked.
        token_grid: tokens along (time, height, width).

    Returns:
        Figure with one column per time step.
    """
    steps, tubelet = token_grid[0], clip.shape[0] // token_grid[0]
    rows = {'clip': np.zeros(np.prod(token_grid), bool), **masks}
    figure, axes = plt.subplots(
        len(rows), steps, squeeze=False, figsize=(1.5 * steps + 1, 1.5 * len(rows))
    )
    for row, (label, mask) in zip(axes, rows.items()):
        covered = upsample_patches(mask, token_grid, clip.shape[:3])
        picture = np.where(covered[..., None], GREY, clip).astype(np.uint8)
        for step, axis in enumerate(row):
            axis.imshow(picture[step * tubelet])
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(label, rotation=0, ha='right', va='center')
    figure.tight_layout()
    return figure
