from pmd_mmaction.models.necks.clfa import CLFANeck

__all__ = ['CLFANeck']
