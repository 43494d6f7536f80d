"""Hooks: everything that changes state between two iterations."""

from pmd_mmaction.hooks.bad_video_hook import BadVideoHook
from pmd_mmaction.hooks.check_backbone_hook import CheckBackboneHook
from pmd_mmaction.hooks.check_labels_hook import CheckLabelsHook
from pmd_mmaction.hooks.checkpoints.preemption_hook import PreemptionHook
from pmd_mmaction.hooks.checkpoints.safe_checkpoint_hook import SafeCheckpointHook
from pmd_mmaction.hooks.compile_hook import CompileHook
from pmd_mmaction.hooks.curriculum.progressive_phase_hook import ProgressivePhaseHook
from pmd_mmaction.hooks.data_time_hook import DataTimeHook
from pmd_mmaction.hooks.difficulty.dare_hook import DAREHook
from pmd_mmaction.hooks.health_hook import HealthHook
from pmd_mmaction.hooks.log_history_hook import LogHistoryHook
from pmd_mmaction.hooks.loss_info_hook import LossInfoHook
from pmd_mmaction.hooks.nonfinite.non_finite_hook import NonFiniteHook
from pmd_mmaction.hooks.nonfinite.rollback import RollbackRequested
from pmd_mmaction.hooks.phase_picture_hook import PhasePictureHook
from pmd_mmaction.hooks.plan_check_hook import PlanCheckHook
from pmd_mmaction.hooks.step_seed_hook import StepSeedHook
from pmd_mmaction.hooks.term_balance_hook import TermBalanceHook
from pmd_mmaction.hooks.throughput.throughput_hook import ThroughputHook
from pmd_mmaction.hooks.work_dir_lock_hook import WorkDirLockHook

__all__ = [
    'BadVideoHook',
    'CheckBackboneHook',
    'CheckLabelsHook',
    'CompileHook',
    'DAREHook',
    'DataTimeHook',
    'HealthHook',
    'LogHistoryHook',
    'LossInfoHook',
    'NonFiniteHook',
    'PhasePictureHook',
    'PlanCheckHook',
    'PreemptionHook',
    'ProgressivePhaseHook',
    'RollbackRequested',
    'SafeCheckpointHook',
    'StepSeedHook',
    'TermBalanceHook',
    'ThroughputHook',
    'WorkDirLockHook',
]
