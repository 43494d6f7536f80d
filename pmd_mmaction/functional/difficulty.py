"""DARE: smoothed patch losses, region weights and the region loss."""

from torch import Tensor

from pmd_mmaction.functional.masking import gather_values

DIFFICULTY_SCALES = ('balanced', 'paper')


def smooth_difficulty(patch_loss: Tensor, last: Tensor, alpha: float) -> Tensor:
    """Smoothed patch losses: ``Lhat_{i,p} = alpha L_{i,p} + (1 - alpha) Lhat_{i',p}``.

    ``i'`` is the epoch in which this patch of this video was last masked. Only
    ``alpha L`` carries gradient; ``last`` is history.

    Source: the PMD paper, ``Lhat`` (DARE), with alpha = 0.95.

    Args:
        patch_loss: ``(..., M)`` losses of this iteration, >= 0.
        last: ``(..., M)`` smoothed losses of the same patches, 0 where never masked.
        alpha: weight of the new loss, in (0, 1].

    Returns:
        ``(..., M)`` smoothed losses.

    Example:
        >>> import torch
        >>> smooth_difficulty(torch.tensor([2.0, 2.0]), torch.tensor([0.0, 4.0]), alpha=0.95)
        tensor([1.9000, 2.1000])
    """
    return alpha * patch_loss + (1 - alpha) * last.detach()


def region_weights(difficulty: Tensor, tau: float) -> Tensor:
    """Region weights: ``w_{s,p} = exp(Lhat_{s-1,p} / tau) / sum_k exp(Lhat_{s-1,k} / tau)``.

    The sum runs over the given patches; a patch that was never masked has ``Lhat = 0``.

    Source: the PMD paper, ``w_{s,p}`` (DARE), with tau = 0.5.

    Args:
        difficulty: ``(..., N)`` smoothed losses at the end of the previous stage.
        tau: temperature, > 0.

    Returns:
        ``(..., N)`` float32 weights in [0, 1] that sum to 1 over the last axis, without gradient.

    Example:
        >>> import torch
        >>> region_weights(torch.tensor([1.0, 1.0, 2.0]), tau=0.5)
        tensor([0.1065, 0.1065, 0.7870])
    """
    difficulty = difficulty.detach().float()
    # Subtracting the maximum first keeps the division from overflowing for large losses.
    return ((difficulty - difficulty.amax(-1, keepdim=True)) / tau).softmax(-1)


def masked_weights(
    difficulty: Tensor, masked_index: Tensor, tau: float, scale: str = 'balanced'
) -> Tensor:
    """The :func:`region_weights` of the masked patches, for every stage of a phase but the first.

    Source: the PMD paper, ``w_{s,p}`` (DARE); what k runs over: docs/interpretation.md, "Softmax".

    Args:
        difficulty: ``(B, N)`` smoothed losses of all patches at the end of the previous stage.
        masked_index: ``(B * K, M)`` int64 masked patches of this iteration, K masks per clip.
        tau: temperature, > 0.
        scale: ``'balanced'``: the sum over k runs over the masked patches, so that their weights
            sum to 1, as the weights ``1/N_M`` of the first stage do. ``'paper'``: it runs over
            all N patches of the video. The ratio of two masked patches' weights is the same.

    Returns:
        ``(B * K, M)`` float32 weights.

    Raises:
        ValueError: for an unknown ``scale``.

    Example:
        >>> import torch
        >>> difficulty, masked = torch.tensor([[1.0, 1.0, 2.0, 5.0]]), torch.tensor([[0, 2]])
        >>> masked_weights(difficulty, masked, tau=0.5)
        tensor([[0.1192, 0.8808]])
        >>> masked_weights(difficulty, masked, tau=0.5, scale='paper')  # patch 3 has the rest
        tensor([[0.0003, 0.0025]])
    """
    _check_scale(scale)
    if scale == 'balanced':
        return region_weights(gather_values(difficulty, masked_index), tau)
    return gather_values(region_weights(difficulty, tau), masked_index)


def uniform_weights(like: Tensor, num_masked: int) -> Tensor:
    """Uniform weights ``1/N_M``, used in the first stage of a phase.

    Source: the PMD paper, ``w_{s,p}`` (DARE), first stage.

    Args:
        like: ``(..., N)`` tensor that gives shape and device.
        num_masked: N_M, the number of masked patches per clip.

    Returns:
        ``(..., N)`` float32 weights.

    Example:
        >>> import torch
        >>> uniform_weights(torch.zeros(1, 5), num_masked=4)
        tensor([[0.2500, 0.2500, 0.2500, 0.2500, 0.2500]])
    """
    return like.new_full(like.shape, 1 / num_masked).float()


def difficulty_loss(weights: Tensor, smoothed: Tensor, scale: str = 'balanced') -> Tensor:
    """Region loss of one teacher: ``L_df = 1/N_M sum_{p in M} w_{s,p} Lhat_{i,p}``.

    The mean over the clips is taken.

    Source: the PMD paper, ``L_df`` (DARE).

    Args:
        weights: ``(B, M)`` weights of the masked patches.
        smoothed: ``(B, M)`` smoothed losses of the masked patches.
        scale: ``'paper'`` is the literal equation. ``'balanced'`` multiplies it by N_M: with
            weights that sum to 1 over the masked patches (:func:`masked_weights`) the loss is
            their weighted mean, and uniform weights give the plain mean (docs/interpretation.md).

    Returns:
        Scalar.

    Raises:
        ValueError: for an unknown ``scale``.

    Example:
        >>> import torch
        >>> weights, smoothed = torch.tensor([[0.25, 0.75]]), torch.tensor([[1.0, 2.0]])
        >>> difficulty_loss(weights, smoothed)
        tensor(1.7500)
        >>> difficulty_loss(weights, smoothed, scale='paper')  # divided by N_M = 2
        tensor(0.8750)
    """
    _check_scale(scale)
    weighted = (weights * smoothed).sum(-1)
    if scale == 'balanced':
        return weighted.mean()
    return weighted.mean() / smoothed.shape[-1]


def _check_scale(scale: str) -> None:
    if scale not in DIFFICULTY_SCALES:
        raise ValueError(f'difficulty_scale is {scale!r}; it must be one of {DIFFICULTY_SCALES}')
