"""What a step says about the student's health."""

import torch

from pmd_mmaction.contracts import Diagnosis
from pmd_mmaction.functional import explained_variance, masked_mean, target_variance
from pmd_mmaction.models.terms import Step


@torch.no_grad()
def diagnose(step: Step, num_masks: int = 1) -> Diagnosis:
    """Explained variance of each teacher that is predicted, and the pooled student features.

    The error is the mean squared one, whatever distance the terms take.

    Args:
        step: the tensors of the iteration.
        num_masks: masks per clip, over which the features are averaged.

    Returns:
        ``explained_<teacher>`` around the mean over the batch and ``explained_place_<teacher>``
        around the mean of each patch position (left out for one clip).
    """
    explained, student = {}, step.student
    for name in step.decoded:
        error = masked_mean(step.patch_loss(name, 'l2', 'mean'), student.counted)
        variance = target_variance(step.targets[name], student.masked, student.counted)
        explained[f'explained_{name}'] = explained_variance(error, variance.batch)
        if len(step.targets[name]) > 1:
            explained[f'explained_place_{name}'] = explained_variance(error, variance.place)
    pooled = step.tokens.detach().float().mean(1)
    return Diagnosis(pooled.unflatten(0, (-1, num_masks)).mean(1), explained)
