from pmd_mmaction.models.maskers.base import Masker
from pmd_mmaction.models.maskers.cube import CubeMasker
from pmd_mmaction.models.maskers.running_cell import RunningCellMasker
from pmd_mmaction.models.maskers.tube import TubeMasker

__all__ = ['CubeMasker', 'Masker', 'RunningCellMasker', 'TubeMasker']
