"""Checks whether a machine, its installation and a config are ready for training."""

from pmd_mmaction.diagnosis.config import examine_config
from pmd_mmaction.diagnosis.environment import examine_environment
from pmd_mmaction.diagnosis.finding import Finding

__all__ = ['Finding', 'examine_config', 'examine_environment']
