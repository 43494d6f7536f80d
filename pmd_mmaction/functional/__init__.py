"""The equations of PMD as pure tensor functions: no state, no registry, no I/O."""

from pmd_mmaction.functional.alignment import (
    GroupStatistics,
    RunningStatistics,
    alignment_distance,
    layer_groups,
    summarize_layers,
)
from pmd_mmaction.functional.difficulty import (
    difficulty_loss,
    masked_weights,
    region_weights,
    smooth_difficulty,
    uniform_weights,
)
from pmd_mmaction.functional.health import (
    effective_rank,
    explained_variance,
    feature_spread,
    target_variance,
)
from pmd_mmaction.functional.masking import gather_tokens, gather_values, split_mask, visible_count
from pmd_mmaction.functional.patch_loss import masked_mean, normalize_target, patch_distance
from pmd_mmaction.functional.phases import Phase, PhaseSchedule, stage_of
from pmd_mmaction.functional.pixels import normalize_pixels, patchify
from pmd_mmaction.functional.positions import (
    position_table,
    resize_positions,
    sincos_2d,
    sincos_3d,
    sinusoid_1d,
)
from pmd_mmaction.functional.seeding import derive_seed
from pmd_mmaction.functional.weights import weight_differences

__all__ = [
    'GroupStatistics',
    'Phase',
    'PhaseSchedule',
    'RunningStatistics',
    'alignment_distance',
    'derive_seed',
    'difficulty_loss',
    'effective_rank',
    'explained_variance',
    'feature_spread',
    'gather_tokens',
    'gather_values',
    'layer_groups',
    'masked_mean',
    'masked_weights',
    'normalize_pixels',
    'normalize_target',
    'patch_distance',
    'patchify',
    'position_table',
    'region_weights',
    'resize_positions',
    'sincos_2d',
    'sincos_3d',
    'sinusoid_1d',
    'smooth_difficulty',
    'split_mask',
    'stage_of',
    'summarize_layers',
    'target_variance',
    'uniform_weights',
    'visible_count',
    'weight_differences',
]
