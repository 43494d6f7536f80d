from pmd_mmaction.models.terms.base import BaseTerm
from pmd_mmaction.models.terms.clfa import CLFATerm
from pmd_mmaction.models.terms.dare import DARETerm
from pmd_mmaction.models.terms.layer_pairs import LayerPairTerm
from pmd_mmaction.models.terms.pixel import PixelTerm
from pmd_mmaction.models.terms.psd import PSDTerm
from pmd_mmaction.models.terms.step import History, Step
from pmd_mmaction.models.terms.term import PatchTerm, Term, add_losses
from pmd_mmaction.models.terms.unit_alignment import UnitAlignmentTerm

__all__ = [
    'BaseTerm',
    'CLFATerm',
    'DARETerm',
    'History',
    'LayerPairTerm',
    'PSDTerm',
    'PatchTerm',
    'PixelTerm',
    'Step',
    'Term',
    'UnitAlignmentTerm',
    'add_losses',
]
