"""Distance between decoded student features and teacher features, per patch."""

import torch
import torch.nn.functional as F
from torch import Tensor

DISTANCES = ('l2', 'smooth_l1')
CHANNEL_REDUCTIONS = ('mean', 'sum')
TARGET_NORMS = ('layer_norm', 'channel_norm', 'none')


def normalize_target(features: Tensor, target_norm: str = 'layer_norm') -> Tensor:
    """Normalises teacher features before they become targets.

    ``layer_norm``: ``(t - mean) / sqrt(var + 1e-5)`` over the D channels, biased variance, no
    affine part.

    Source: normalised targets as in MAE, https://arxiv.org/abs/2111.06377, applied to features;
        ``'none'`` is MVD's raw target, https://github.com/ruiwang2021/mvd.

    Args:
        features: ``(B, N, D)`` float features of a frozen teacher.
        target_norm: ``'layer_norm'`` (per token), ``'channel_norm'`` (SMILE: per clip and channel
            over the N tokens, ``(x - mean) / (std + 1e-6)`` with the unbiased variance) or
            ``'none'``.

    Returns:
        ``(B, N, D)`` features of the same dtype.

    Raises:
        ValueError: for an unknown ``target_norm``.

    Example:
        >>> import torch
        >>> normalize_target(torch.tensor([1.0, 2.0, 3.0]))
        tensor([-1.2247,  0.0000,  1.2247])
    """
    if target_norm == 'layer_norm':
        return F.layer_norm(features, features.shape[-1:])
    if target_norm == 'channel_norm':
        x = features.float()
        x = (x - x.mean(-2, keepdim=True)) / (x.std(-2, keepdim=True) + 1e-6)
        return x.to(features.dtype)
    if target_norm == 'none':
        return features
    raise ValueError(f'target_norm is {target_norm!r}; it must be one of {TARGET_NORMS}')


def patch_distance(
    prediction: Tensor, target: Tensor, distance: str = 'l2', channel_reduction: str = 'mean'
) -> Tensor:
    """Loss of each patch: ``L_p = ||x_p - x'_p||^2``, computed in float32.

    Source: the PMD paper, ``L_base`` and ``L_pg``. ``'smooth_l1'``: MVD,
        https://github.com/ruiwang2021/mvd; Fast R-CNN, https://arxiv.org/abs/1504.08083.

    Args:
        prediction: ``(B, M, D)`` decoded student features.
        target: ``(B, M, D)`` teacher features of the same patches.
        distance: ``'l2'`` (squared error) or ``'smooth_l1'`` (Huber with beta 1, as MVD).
        channel_reduction: ``'mean'`` or ``'sum'`` over the ``D`` channels.

    Returns:
        ``(B, M)`` float32 losses, >= 0.

    Raises:
        ValueError: for shapes that differ or an unknown option.

    Example:
        >>> import torch
        >>> student, teacher = torch.tensor([[[1.0, 3.0]]]), torch.zeros(1, 1, 2)
        >>> patch_distance(student, teacher)  # (1 + 9) / 2
        tensor([[5.]])
        >>> patch_distance(student, teacher, 'smooth_l1')  # (0.5 + 2.5) / 2
        tensor([[1.5000]])
    """
    if prediction.shape != target.shape:
        raise ValueError(
            f'prediction {tuple(prediction.shape)} and target '
            f'{tuple(target.shape)} must have the same shape'
        )
    # float32 whatever autocast says: a bf16 sum over 768 channels loses two digits.
    prediction, target = prediction.float(), target.float()
    if distance == 'l2':
        error = (prediction - target).square()
    elif distance == 'smooth_l1':
        error = F.smooth_l1_loss(prediction, target, reduction='none')
    else:
        raise ValueError(f'distance is {distance!r}; it must be one of {DISTANCES}')
    if channel_reduction == 'mean':
        return error.mean(-1)
    if channel_reduction == 'sum':
        return error.sum(-1)
    raise ValueError(
        f'channel_reduction is {channel_reduction!r}; it must be one of {CHANNEL_REDUCTIONS}'
    )


def masked_mean(patch_loss: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean over the masked patches: ``1/N_M sum_{p in M} L_p``, averaged over the clips.

    Source: the PMD paper, ``L_base`` and ``L_pg``.

    Args:
        patch_loss: ``(B, M)`` losses of the masked patches.
        counted: ``(B, M)`` bool; the others are left out, and the mean is that of the whole batch
            (VideoMAE V2). None: all count.

    Returns:
        Scalar of the same dtype.

    Example:
        >>> import torch
        >>> masked_mean(torch.tensor([[1.0, 3.0], [5.0, 7.0]]))
        tensor(4.)
    """
    if counted is None:
        return patch_loss.mean()
    return torch.where(counted, patch_loss, 0).sum() / counted.sum()
