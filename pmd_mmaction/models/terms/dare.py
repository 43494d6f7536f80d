"""Difficulty-Aware Region Enhancement (DARE): difficult patches get larger weights."""

from typing import Annotated

import torch
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.arguments import Positive, checked, number, one_of
from pmd_mmaction.functional import (
    difficulty_loss,
    gather_values,
    masked_weights,
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
        alpha: weight of the new loss in the smoothed one, in (0, 1]; 1 disables smoothing.
        tau: temperature of the region weights, > 0.
        difficulty_scale: ``'balanced'`` or ``'paper'``.
        weighting: False keeps uniform weights (the paper's "SPL only" row).
        **term: arguments of :class:`PatchTerm`; ``loss_weight`` is lambda_df.
    """

    name = 'df'
    single = True

    @checked
    def __init__(
        self,
        alpha: Annotated[float, number(above=0, at_most=1)] = 0.95,
        tau: Positive = 0.5,
        difficulty_scale: Annotated[str, one_of(DIFFICULTY_SCALES)] = 'balanced',
        weighting: bool = True,
        **term,
    ) -> None:
        super().__init__(**term)
        self.alpha = alpha
        self.tau = tau
        self.difficulty_scale = difficulty_scale
        self.weighting = weighting

    def forward(self, step: Step) -> dict[str, Tensor]:
        """``loss_df_<teacher>``."""
        losses, smoothed = {}, self.smoothed(step).unbind(1)
        for k, name in enumerate(self.patch_losses(step)):
            weights = self._weights(step, k, like=smoothed[k])
            loss = difficulty_loss(weights, smoothed[k], self.difficulty_scale)
            losses[f'loss_{self.name}_{name}'] = self.weight(name) * loss
        return losses

    def smoothed(self, step: Step) -> Tensor:
        """``(R, K, M)`` new smoothed losses of K teachers, for the difficulty table."""

        def compute() -> Tensor:
            masked, smoothed = step.student.masked, []
            for k, loss in enumerate(self.patch_losses(step).values()):
                last = gather_values(step.history.last[:, k], masked)
                smoothed.append(smooth_difficulty(loss, last, self.alpha))
            return torch.stack(smoothed, 1)

        return step.once((self.name, 'smoothed'), compute)

    def _weights(self, step: Step, k: int, like: Tensor) -> Tensor:
        """``(R, M)`` weights of teacher ``k``: uniform in a phase's first stage."""
        stage = step.history.stage
        if stage is None or not self.weighting:
            return uniform_weights(like, like.shape[1])
        return masked_weights(stage[:, k], step.student.masked, self.tau, self.difficulty_scale)
