"""Settings of the terms of the total loss; each is checked when the model is built."""

from dataclasses import dataclass, fields
from typing import Mapping, TypeVar

from pmd_mmaction.functional import checks
from pmd_mmaction.functional.difficulty import DIFFICULTY_SCALES
from pmd_mmaction.functional.patch_loss import CHANNEL_REDUCTIONS, DISTANCES
from pmd_mmaction.models.loss_weight import LossWeight, check_loss_weight

AUX_MASKS = ('same', 'nested')
TEACHER_DTYPES = (None, 'bfloat16', 'float16')

Term = TypeVar('Term')


def make_term(kind: type[Term], name: str, options: Mapping | None) -> Term | None:
    """The settings of a term from its part of the config.

    Args:
        kind: a class of this file.
        name: the argument of the recognizer.
        options: arguments of the class; None: the term is off.

    Raises:
        TypeError: for an unknown key.
        ValueError: for a value that makes no sense.
    """
    if options is None:
        return None
    checks.require_keys('PMDRecognizer', [field.name for field in fields(kind)], **{name: options})
    return kind(**options)


@dataclass(frozen=True)
class BaseTerm:
    """Distillation from the image and the video teacher.

    Attributes:
        loss_weight: lambda_base, or ``dict(image=..., video=...)``.
        distance: ``'l2'`` or ``'smooth_l1'`` (MVD).
        channel_reduction: ``'mean'`` or ``'sum'``; also used by PSD and DARE.
    """

    loss_weight: LossWeight = 1.0
    distance: str = 'l2'
    channel_reduction: str = 'mean'

    def __post_init__(self) -> None:
        check_loss_weight('base', self.loss_weight)
        checks.require_one_of('base', DISTANCES, distance=self.distance)
        checks.require_one_of('base', CHANNEL_REDUCTIONS, channel_reduction=self.channel_reduction)


@dataclass(frozen=True)
class PSDTerm:
    """Progressive student distillation.

    Attributes:
        loss_weight: lambda_pg, or ``dict(image=..., video=...)``.
        aux_mask: ``'same'``: the auxiliary teacher sees the student's visible patches.
            ``'nested'``: it keeps the lower ratio of its own phase, its visible patches
            contain the student's, and the loss runs over its own masked patches.
        aux_dtype: ``'bfloat16'`` or ``'float16'``: matrix products of the auxiliary teacher run in
            it, as with the recognizer's ``teacher_dtype``, which None stands for.
    """

    loss_weight: LossWeight = 0.05
    aux_mask: str = 'same'
    aux_dtype: str | None = None

    def __post_init__(self) -> None:
        check_loss_weight('psd', self.loss_weight)
        checks.require_one_of('psd', AUX_MASKS, aux_mask=self.aux_mask)
        checks.require_one_of('psd', TEACHER_DTYPES, aux_dtype=self.aux_dtype)


@dataclass(frozen=True)
class DARETerm:
    """Difficulty-aware region enhancement.

    Attributes:
        loss_weight: lambda_df, or ``dict(image=..., video=...)``.
        alpha: weight of the new loss in the smoothed one, in (0, 1]; 1 is no smoothing.
        tau: temperature of the region weights, > 0.
        difficulty_scale: ``'balanced'`` or ``'paper'``.
        weighting: False keeps uniform weights (the paper's "SPL only" row).
    """

    loss_weight: LossWeight = 1.0
    alpha: float = 0.95
    tau: float = 0.5
    difficulty_scale: str = 'balanced'
    weighting: bool = True

    def __post_init__(self) -> None:
        check_loss_weight('dare', self.loss_weight)
        checks.require_number('dare', above=0, at_most=1, alpha=self.alpha)
        checks.require_number('dare', above=0, tau=self.tau)
        checks.require_one_of('dare', DIFFICULTY_SCALES, difficulty_scale=self.difficulty_scale)
        checks.require_flag('dare', weighting=self.weighting)
