"""What a step says about the student's health."""

from typing import Iterable

import torch

from pmd_mmaction.contracts import Diagnosis
from pmd_mmaction.functional import (
    explained_variance,
    masked_mean,
    patch_distance,
    target_variance,
)
from pmd_mmaction.models.terms import Step, Term


@torch.no_grad()
def diagnose(step: Step, terms: Iterable[Term], num_masks: int = 1) -> Diagnosis:
    """Explained variance of each teacher that is predicted, and the pooled student features.

    The error is the mean squared one, whatever distance the terms take.

    Args:
        step: the tensors of the iteration.
        terms: of the loss; some predict features themselves (AMD).
        num_masks: masks per clip, over which the features are averaged.

    Returns:
        ``explained_<teacher>`` around the mean over the batch and ``explained_place_<teacher>``
        around the mean of each patch position (left out for one clip, and for what a term
        predicts itself).
    """
    explained, student = {}, step.student
    for name in step.decoded:
        error = masked_mean(step.patch_loss(name, 'l2', 'mean'), student.counted)
        variance = target_variance(step.targets[name], student.masked, student.counted)
        explained[f'explained_{name}'] = explained_variance(error, variance.batch)
        if len(step.targets[name]) > 1:
            explained[f'explained_place_{name}'] = explained_variance(error, variance.place)
    for term in terms:
        for name, (made, taught) in term.generated(step).items():
            variance = taught.float().flatten(0, 1).var(0, correction=0).mean()
            value = explained_variance(patch_distance(made, taught).mean(), variance)
            explained.setdefault(f'explained_{name}', value)
    pooled = step.tokens.detach().float().mean(1)
    return Diagnosis(pooled.unflatten(0, (-1, num_masks)).mean(1), explained)
