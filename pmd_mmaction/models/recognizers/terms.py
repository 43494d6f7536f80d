"""Settings of the terms of the total loss; each is checked when the model is built."""

from dataclasses import dataclass

from pmd_mmaction.functional.difficulty import DIFFICULTY_SCALES
from pmd_mmaction.functional.patch_loss import CHANNEL_REDUCTIONS, DISTANCES

AUX_MASKS = ('same', 'nested')


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f'{name} is {value!r}; it must be one of {allowed}')


def _not_negative(name: str, value: float) -> None:
    if not value >= 0:
        raise ValueError(f'{name} is {value}; it must not be negative')


@dataclass(frozen=True)
class BaseTerm:
    """Distillation from the image and the video teacher.

    Attributes:
        loss_weight: lambda_base.
        distance: ``'l2'`` or ``'smooth_l1'`` (MVD).
        channel_reduction: ``'mean'`` or ``'sum'``; also used by PSD and DARE.
    """

    loss_weight: float = 1.0
    distance: str = 'l2'
    channel_reduction: str = 'mean'

    def __post_init__(self) -> None:
        _not_negative('loss_weight of base', self.loss_weight)
        _one_of('distance', self.distance, DISTANCES)
        _one_of('channel_reduction', self.channel_reduction, CHANNEL_REDUCTIONS)


@dataclass(frozen=True)
class PSDTerm:
    """Progressive student distillation.

    Attributes:
        loss_weight: lambda_pg.
        aux_mask: ``'same'``: the auxiliary teacher sees the student's visible patches.
            ``'nested'``: it keeps the lower ratio of its own phase, its visible patches
            contain the student's, and the loss runs over its own masked patches.
    """

    loss_weight: float = 0.05
    aux_mask: str = 'same'

    def __post_init__(self) -> None:
        _not_negative('loss_weight of psd', self.loss_weight)
        _one_of('aux_mask', self.aux_mask, AUX_MASKS)


@dataclass(frozen=True)
class DARETerm:
    """Difficulty-aware region enhancement.

    Attributes:
        loss_weight: lambda_df.
        alpha: weight of the new loss in the smoothed one, in (0, 1]; 1 is no smoothing.
        tau: temperature of the region weights, > 0.
        difficulty_scale: ``'balanced'`` or ``'paper'``.
        weighting: False keeps uniform weights (the paper's "SPL only" row).
    """

    loss_weight: float = 1.0
    alpha: float = 0.95
    tau: float = 0.5
    difficulty_scale: str = 'balanced'
    weighting: bool = True

    def __post_init__(self) -> None:
        _not_negative('loss_weight of dare', self.loss_weight)
        _one_of('difficulty_scale', self.difficulty_scale, DIFFICULTY_SCALES)
        if not 0 < self.alpha <= 1:
            raise ValueError(f'alpha of dare is {self.alpha}; it must lie in (0, 1]')
        if not self.tau > 0:
            raise ValueError(f'tau of dare is {self.tau}; it must be above 0')
