"""Clips as rows of patches."""

from torch import Tensor


def patchify(clips: Tensor, tubelet: int, patch: int) -> Tensor:
    """Cuts clips into tubelets, in the channel order of a flattened Conv3d kernel.

    ``patchify(x) @ conv.weight.flatten(1).T`` equals the convolution with that kernel and
    an equal stride.

    Source: VideoMAE, cube embedding, https://arxiv.org/abs/2203.12602

    Args:
        clips: ``(B, C, T, H, W)``; T divisible by ``tubelet``, H and W by ``patch``.
        tubelet: frames per token.
        patch: pixels per token side.

    Returns:
        ``(B, N, C * tubelet * patch * patch)``, same dtype, N running over time, rows, columns.

    Example:
        >>> import torch
        >>> clip = torch.arange(8).reshape(1, 1, 2, 2, 2)  # two frames of 2 x 2 pixels
        >>> patchify(clip, tubelet=2, patch=1)[0].tolist()
        [[0, 4], [1, 5], [2, 6], [3, 7]]
    """
    b, c, t, h, w = clips.shape
    x = clips.reshape(b, c, t // tubelet, tubelet, h // patch, patch, w // patch, patch)
    return x.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4).flatten(1, 3)


def normalize_pixels(patches: Tensor, channels: int, eps: float = 1e-6) -> Tensor:
    """Zero mean and unit variance for each patch and channel (VideoMAE's target).

    ``(x - mean) / (std + eps)`` with the unbiased variance over the P pixels. A patch of a single
    colour gives exactly 0; in VideoMAE's own code, rounding of its mean can leave a difference
    that the division by ``eps`` blows up.

    Source: ``norm_pix_loss`` of https://github.com/MCG-NJU/VideoMAE (engine_for_pretraining.py)

    Args:
        patches: ``(B, N, channels * P)`` rows of :func:`patchify`, pixels in [0, 1].
        channels: image channels C.
        eps: added to the standard deviation, in the units of ``patches``; a larger one keeps the
            compression noise of flat patches small.

    Returns:
        The normalised rows, same shape.

    Example:
        >>> import torch
        >>> rows = torch.tensor([[[0.0, 1.0, 0.5, 0.5]]])  # one patch, 2 channels of 2 pixels
        >>> normalize_pixels(rows, channels=2)
        tensor([[[-0.7071,  0.7071,  0.0000,  0.0000]]])
    """
    x = patches.unflatten(-1, (channels, -1))
    x = x - x[..., :1]  # equal pixels become zeros, whose mean is not rounded
    x = (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + eps)
    return x.flatten(-2)
