"""Numbers that tell whether a student learns: explained variance and the spread of features."""

from typing import NamedTuple

from torch import Tensor

from pmd_mmaction.functional.masking import gather_tokens
from pmd_mmaction.functional.patch_loss import masked_mean


class TargetVariance(NamedTuple):
    """What a prediction that knows nothing of its clip costs, mean over tokens and channels.

    Attributes:
        batch: scalar, around one mean for all masked tokens of the batch.
        place: scalar, around a mean for each patch position over the clips; NaN for one clip.
    """

    batch: Tensor
    place: Tensor


def target_variance(
    targets: Tensor, masked: Tensor, counted: Tensor | None = None
) -> TargetVariance:
    """Variance of the targets at the masked patches.

    ``mean (t - mean t)^2``; around a position's mean the unbiased one, since few clips make it.

    Source: denominator of the coefficient of determination,
        https://en.wikipedia.org/wiki/Coefficient_of_determination.

    Args:
        targets: ``(B, N, D)`` float features of all patches.
        masked: ``(R, M)`` int64 patches of R masks, those of a clip one after the other.
        counted: ``(R, M)`` bool; the others are left out (VideoMAE V2). None: all count.

    Example:
        >>> import torch
        >>> targets = torch.tensor([[[0.0], [4.0]], [[2.0], [4.0]]])  # two clips, two patches
        >>> [x.item() for x in target_variance(targets, torch.tensor([[0, 1], [0, 1]]))]
        [2.75, 1.0]
    """
    targets = targets.float()
    seen = gather_tokens(targets, masked).flatten(0, 1)
    around_places = targets.var(0).mean(-1) if len(targets) > 1 else targets[0, :, 0] * float('nan')
    if counted is None:
        around_batch = seen.var(0, correction=0).mean()
    else:
        share = counted.flatten()[:, None] / counted.sum()
        around_batch = (share * (seen - (share * seen).sum(0)).square()).sum(0).mean()
    return TargetVariance(around_batch, masked_mean(around_places[masked], counted))


def explained_variance(error: Tensor, variance: Tensor) -> Tensor:
    """``1 - error / variance``: 1 is perfect, 0 is no better than the mean, below 0 is worse.

    It does not depend on the scale of the target, so methods, target norms and mask ratios compare.

    Source: https://en.wikipedia.org/wiki/Coefficient_of_determination.

    Args:
        error: mean squared error over masked tokens and channels.
        variance: one of :class:`TargetVariance`.

    Returns:
        Scalar, at most 1.

    Example:
        >>> import torch
        >>> explained_variance(torch.tensor(0.5), torch.tensor(2.0)).item()
        0.75
    """
    return 1 - error / variance


def effective_rank(features: Tensor) -> Tensor:
    """Participation ratio of the covariance's eigenvalues: ``(sum l)^2 / sum l^2``.

    From 1 (all features on a line, as after a collapse) to the width. Needs no decomposition:
    the sums are the trace and the squared Frobenius norm of the Gram matrix.

    Source: the participation ratio,
        https://en.wikipedia.org/wiki/Inverse_participation_ratio.

    Args:
        features: ``(n, D)``, a row for each clip.

    Returns:
        Scalar float32; NaN if all rows are equal.

    Example:
        >>> import torch
        >>> effective_rank(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])).item()
        2.0
    """
    x = features.float() - features.float().mean(0)
    gram = x @ x.T if x.shape[0] < x.shape[1] else x.T @ x
    return gram.trace().square() / gram.square().sum()


def feature_spread(features: Tensor) -> Tensor:
    """Standard deviation over the clips over root mean square, mean of the channels' variances.

    0 when all clips have one feature, 1 when features have nothing in common.

    ``sqrt(sum_d var_d / sum_d mean x_d^2)``.

    Source: ours; the coefficient of variation for vectors.

    Args:
        features: ``(n, D)``, a row for each clip.

    Returns:
        Scalar float32 in [0, 1].

    Example:
        >>> import torch
        >>> feature_spread(torch.tensor([[3.0, 4.0], [-3.0, -4.0]])).item()
        1.0
    """
    x = features.float()
    return (x.var(0, correction=0).sum() / x.square().mean(0).sum()).sqrt()
