"""Plots of what the student sees in each phase."""

from typing import Any, Mapping

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from pmd_mmaction.visualization.patches import upsample_patches

GREY = 127


def mask_rows(
    views: Mapping[str, Any], num_masks: int, num_patches: int, title: str, decoded: bool
) -> dict[str, np.ndarray]:
    """What the views of the first clip hide, for :func:`plot_masks`.

    Args:
        views: name to patches ``visible`` and ``masked``, ``(R, V)`` and ``(R, M)``; the masks of a
            clip are consecutive rows.
        num_masks: masks of a clip.
        num_patches: number of patches N.
        title: what the rows of the student are called; others have the name of their view below.
        decoded: add a row that shows the patches which the student decodes.

    Returns:
        Row label to ``(N,)`` bool, True = hidden; the student first.
    """
    rows = {}
    for name in sorted(views.keys() - {'auxiliary'}, key=lambda name: (name != 'student', name)):
        for k in range(num_masks):
            label = [title, name if name != 'student' else '', f'mask {k + 1}' if k else '']
            rows['\n'.join(filter(None, label))] = _hidden(views[name].visible[k], num_patches)
    if decoded:
        rows[f'{title}\ndecoded'] = _hidden(views['student'].masked[0], num_patches)
    return rows


def _hidden(patches: Tensor, num_patches: int) -> np.ndarray:
    """``(N,)`` bool, False at some patches."""
    mask = np.ones(num_patches, dtype=bool)
    mask[patches.cpu().numpy()] = False
    return mask


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
    figure = Figure(figsize=(1.5 * steps + 1, 1.5 * len(rows)))
    axes = figure.subplots(len(rows), steps, squeeze=False)
    for row, (label, mask) in zip(axes, rows.items()):
        covered = upsample_patches(mask, token_grid, clip.shape[:3])
        picture = np.where(covered[..., None], GREY, clip).astype(np.uint8)
        for step, axis in enumerate(row):
            axis.imshow(picture[step * tubelet])
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(label, rotation=0, ha='right', va='center')
    figure.tight_layout()
    return figure
