"""DARE: smoothed patch losses, region weights and the region loss (paper, key design 2)."""

from torch import Tensor

from pmd_mmaction.functional.masking import gather_values

DIFFICULTY_SCALES = ('balanced', 'paper')


def smooth_difficulty(patch_loss: Tensor, last: Tensor, alpha: float) -> Tensor:
    """``Lhat_{i,p} = alpha L_{i,p} + (1 - alpha) Lhat_{i',p}``.

    ``i'`` is the epoch in which this patch of this video was last masked. Only
    ``alpha L`` carries gradient; ``last`` is history.

    Args:
        patch_loss: ``(..., M)`` losses of this iteration, >= 0.
        last: ``(..., M)`` smoothed losses of the same patches, 0 where never masked.
        alpha: weight of the new loss, in (0, 1].

    Returns:
        ``(..., M)`` smoothed losses.
    """
    return alpha * patch_loss + (1 - alpha) * last.detach()


def region_weights(difficulty: Tensor, tau: float) -> Tensor:
    """``w_{s,p} = exp(Lhat_{s-1,p} / tau) / sum_k exp(Lhat_{s-1,k} / tau)``.

    The sum runs over the patches that are given; one that was never masked counts with 0.

    Args:
        difficulty: ``(..., N)`` smoothed losses at the end of the previous stage.
        tau: temperature, > 0.

    Returns:
        ``(..., N)`` weights in [0, 1] that sum to 1 over the last axis.
    """
    difficulty = difficulty.detach().float()
    # The largest is taken off before the division, which could overflow for large losses.
    return ((difficulty - difficulty.amax(-1, keepdim=True)) / tau).softmax(-1)


def masked_weights(
    difficulty: Tensor, masked_index: Tensor, tau: float, scale: str = 'balanced'
) -> Tensor:
    """The :func:`region_weights` of the masked patches, in a phase's later stages.

    Args:
        difficulty: ``(B, N)`` smoothed losses of all patches at the end of the previous stage.
        masked_index: ``(B * K, M)`` int64 masked patches of this iteration, of K masks per clip.
        tau: temperature, > 0.
        scale: ``'balanced'``: the sum over k runs over the masked patches, so that their weights
            sum to 1 as the ``1/N_M`` of the first stage do. ``'paper'``: over all N patches of
            the video. The ratio of two masked patches' weights is the same.

    Returns:
        ``(B * K, M)`` float32 weights.

    Raises:
        ValueError: for an unknown ``scale``.
    """
    _check_scale(scale)
    if scale == 'balanced':
        return region_weights(gather_values(difficulty, masked_index), tau)
    return gather_values(region_weights(difficulty, tau), masked_index)


def uniform_weights(like: Tensor, num_masked: int) -> Tensor:
    """``1/N_M`` everywhere: the weights of a phase's first stage.

    Args:
        like: ``(..., N)`` tensor that gives shape and device.
        num_masked: N_M, the number of masked patches per clip.

    Returns:
        ``(..., N)`` float32 weights.
    """
    return like.new_full(like.shape, 1 / num_masked).float()


def difficulty_loss(weights: Tensor, smoothed: Tensor, scale: str = 'balanced') -> Tensor:
    """``L_df = 1/N_M sum_{p in M} w_{s,p} Lhat_{i,p}`` of one teacher, mean over clips.

    Args:
        weights: ``(B, M)`` weights of the masked patches.
        smoothed: ``(B, M)`` smoothed losses of the masked patches.
        scale: ``'paper'`` is the equation by the letter. ``'balanced'`` multiplies it by N_M:
            with weights that sum to 1 over the masked patches (:func:`masked_weights`) it is
            their weighted mean, and uniform ones give the plain mean (docs/interpretation.md).

    Returns:
        Scalar.

    Raises:
        ValueError: for an unknown ``scale``.
    """
    _check_scale(scale)
    weighted = (weights * smoothed).sum(-1)
    if scale == 'balanced':
        return weighted.mean()
    return weighted.mean() / smoothed.shape[-1]


def _check_scale(scale: str) -> None:
    if scale not in DIFFICULTY_SCALES:
        raise ValueError(f'difficulty_scale is {scale!r}; it must be one of {DIFFICULTY_SCALES}')
