from pmd_mmaction.models.maskers.base import Masker
from pmd_mmaction.models.maskers.cube import CubeMasker
from pmd_mmaction.models.maskers.object_tube import ObjectTubeMasker
from pmd_mmaction.models.maskers.running_cell import RunningCellMasker
from pmd_mmaction.models.maskers.tube import TubeMasker
from pmd_mmaction.models.maskers.view import View, WholeClipView, is_among, positions_within
from pmd_mmaction.models.maskers.view_drawing import Views

__all__ = [
    'CubeMasker',
    'Masker',
    'ObjectTubeMasker',
    'RunningCellMasker',
    'TubeMasker',
    'View',
    'Views',
    'WholeClipView',
    'is_among',
    'positions_within',
]
