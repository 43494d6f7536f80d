"""Hooks: everything that changes state between two iterations."""

from pmd_mmaction.hooks.check_backbone_hook import CheckBackboneHook
from pmd_mmaction.hooks.dare_hook import DAREHook
from pmd_mmaction.hooks.data_time_hook import DataTimeHook
from pmd_mmaction.hooks.progressive_phase_hook import ProgressivePhaseHook
from pmd_mmaction.hooks.step_seed_hook import StepSeedHook

__all__ = [
    'CheckBackboneHook',
    'DAREHook',
    'DataTimeHook',
    'ProgressivePhaseHook',
    'StepSeedHook',
]
