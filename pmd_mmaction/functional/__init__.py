"""The equations of PMD and its rivals as pure tensor functions: no registry, no I/O.

"The PMD paper" is *Progressive Mask Distillation for Self-supervised Video Representation*:
https://openaccess.thecvf.com/content/CVPR2026/html/Wu_Progressive_Mask_Distillation_for_Self-supervised_Video_Representation_CVPR_2026_paper.html
Where it leaves a choice open, docs/interpretation.md says what was chosen and why.
"""

from pmd_mmaction.functional.alignment import (
    GroupStatistics,
    RunningStatistics,
    alignment_distance,
    layer_groups,
)
from pmd_mmaction.functional.difficulty import (
    difficulty_loss,
    masked_weights,
    region_weights,
    smooth_difficulty,
    uniform_weights,
)
from pmd_mmaction.functional.frame_places import gather_crop, overlaps, spread_crop
from pmd_mmaction.functional.health import (
    effective_rank,
    explained_variance,
    feature_spread,
    target_variance,
)
from pmd_mmaction.functional.masking import gather_tokens, gather_values, split_mask, visible_count
from pmd_mmaction.functional.object_tokens import object_ranks, object_tokens
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
    'gather_crop',
    'gather_tokens',
    'gather_values',
    'layer_groups',
    'masked_mean',
    'masked_weights',
    'normalize_pixels',
    'normalize_target',
    'object_ranks',
    'object_tokens',
    'overlaps',
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
    'spread_crop',
    'stage_of',
    'target_variance',
    'uniform_weights',
    'visible_count',
]
