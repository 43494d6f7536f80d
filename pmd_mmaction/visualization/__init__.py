"""Pictures of masks, difficulty and training curves (matplotlib figures)."""

from pmd_mmaction.visualization.curves import (
    plot_balance,
    plot_curves,
    plot_health,
)
from pmd_mmaction.visualization.difficulty import plot_difficulty
from pmd_mmaction.visualization.masks import mask_rows, plot_masks
from pmd_mmaction.visualization.scalars import read_scalars

__all__ = [
    'mask_rows',
    'plot_balance',
    'plot_curves',
    'plot_difficulty',
    'plot_health',
    'plot_masks',
    'read_scalars',
]
