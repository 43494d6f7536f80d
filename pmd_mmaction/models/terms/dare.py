"""Difficulty-Aware Region Enhancement: difficult patches weigh more (paper, DARE)."""

import torch
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.functional import (
    checks,
    difficulty_loss,
    region_weights,
    smooth_difficulty,
    uniform_weights,
)
from pmd_mmaction.functional.difficulty import DIFFICULTY_SCALES
from pmd_mmaction.models.terms.step import Step
from pmd_mmaction.models.terms.term import PatchTerm


@MODELS.register_module()
class DARETerm(PatchTerm):
    """``L_df``: smoothed patch losses, weighted by those of the previous stage.

    Args:
        alpha: weight of the new loss in the smoothed one, in (0, 1]; 1 is no smoothing.
        tau: temperature of the region weights, > 0.
        difficulty_scale: ``'balanced'`` or ``'paper'``.
        weighting: False keeps uniform weights (the paper's "SPL only" row).
        **term: arguments of :class:`PatchTerm`; ``loss_weight`` is lambda_df.
    """

    name = 'df'

    def __init__(
        self,
        alpha: float = 0.95,
        tau: float = 0.5,
        difficulty_scale: str = 'balanced',
        weighting: bool = True,
        **term,
    ) -> None:
        super().__init__(**term)
        checks.require_number(self, above=0, at_most=1, alpha=alpha)
        checks.require_number(self, above=0, tau=tau)
        checks.require_one_of(self, DIFFICULTY_SCALES, difficulty_scale=difficulty_scale)
        checks.require_flag(self, weighting=weighting)
        self.alpha = alpha
        self.tau = tau
        self.difficulty_scale = difficulty_scale
        self.weighting = weighting

    def forward(self, step: Step) -> dict[str, Tensor]:
        """``loss_df_<teacher>``."""
        losses = {}
        for k, (name, smoothed) in enumerate(
            zip(self.patch_losses(step), self.smoothed(step).unbind(1))
        ):
            weights = self._weights(step, k, like=smoothed)
            loss = difficulty_loss(weights, smoothed, self.difficulty_scale)
            losses[f'loss_{self.name}_{name}'] = self.loss_weight * loss
        return losses

    def smoothed(self, step: Step) -> Tensor:
        """``(R, K, M)`` new smoothed losses of K teachers: what the difficulty table gets."""
        return torch.stack(
            [
                smooth_difficulty(loss, _of_masked(step.history.last[:, k], step), self.alpha)
                for k, loss in enumerate(self.patch_losses(step).values())
            ],
            1,
        )

    def _weights(self, step: Step, k: int, like: Tensor) -> Tensor:
        """``(R, M)`` weights of teacher ``k``: uniform in a phase's first stage."""
        stage = step.history.stage
        if stage is None or not self.weighting:
            return uniform_weights(like, like.shape[1])
        return _of_masked(region_weights(stage[:, k], self.tau), step)


def _of_masked(values: Tensor, step: Step) -> Tensor:
    """``(B, N)`` values of all patches to the ``(R, M)`` of the masked ones."""
    return step.student.at_masked(values.unsqueeze(-1)).squeeze(-1)
