"""What frozen features are worth."""

from pmd_mmaction.evaluation.linear_probe import fit_linear_probe

__all__ = ['fit_linear_probe']
