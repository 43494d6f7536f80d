"""What frozen features are worth."""

from pmd_mmaction.evaluation.linear_probe import first_of_each_class, fit_linear_probe

__all__ = ['first_of_each_class', 'fit_linear_probe']
