"""Masks as token indices, without synchronising with the host."""

import torch
from torch import Tensor


def visible_count(length: int, mask_ratio: float) -> int:
    """Number of visible patches: ``length - floor(length * mask_ratio)``.

    Source: ``TubeMaskingGenerator`` of https://github.com/MCG-NJU/VideoMAE; MVD does the same.

    Args:
        length: number of patches, >= 1.
        mask_ratio: fraction to mask, in [0, 1].

    Example:
        >>> visible_count(196, 0.9)  # 176.4 masked patches are rounded down
        20
    """
    # The epsilon keeps products such as 0.29 * 100 = 28.999... from losing a patch.
    return length - int(length * mask_ratio + 1e-6)


def split_mask(mask: Tensor, num_visible: int) -> tuple[Tensor, Tensor]:
    """Indices of the visible and the masked patches, each in ascending order.

    Source: MAE's ``random_masking``, https://github.com/facebookresearch/mae, without its sort;
        the ascending order is that of ``x[~mask]`` in MVD and VideoMAE.

    Args:
        mask: ``(B, N)`` bool, True = masked, with exactly ``num_visible`` False per row.
        num_visible: V. It is an argument because reading it off the mask would wait for
            the device.

    Returns:
        ``(B, V)`` and ``(B, M)`` int64 indices.

    Example:
        >>> import torch
        >>> split_mask(torch.tensor([[True, False, True, False]]), num_visible=2)
        (tensor([[1, 3]]), tensor([[0, 2]]))
    """
    # The n-th visible patch goes to place n, the n-th masked one to place V + n: no sort.
    place = torch.where(mask, num_visible - 1 + mask.cumsum(1), (~mask).cumsum(1) - 1)
    patches = torch.arange(mask.shape[1], device=mask.device).expand_as(place)
    order = torch.empty_like(place).scatter(1, place, patches)
    return order[:, :num_visible], order[:, num_visible:]


def gather_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Picks tokens of each clip, for one or more masks per clip.

    ``out[b K + k, l] = tokens[b, index[b K + k, l]]``.

    Source: MAE's ``random_masking``, https://github.com/facebookresearch/mae; several masks per
        clip as in data2vec 2.0, https://arxiv.org/abs/2212.07525.

    Args:
        tokens: ``(B, N, D)``, any dtype.
        index: ``(B * K, L)`` int64 patches; the K rows of a clip are consecutive.

    Returns:
        ``(B * K, L, D)``.

    Example:
        >>> import torch
        >>> tokens = torch.tensor([[[10], [11], [12]]])  # one clip of three tokens
        >>> gather_tokens(tokens, torch.tensor([[0, 2], [1, 0]])).tolist()  # two masks
        [[[10], [12]], [[11], [10]]]
    """
    flat = index.reshape(len(tokens), -1, 1)  # all masks of a clip: its tokens are not copied
    return tokens.gather(1, flat.expand(-1, -1, tokens.shape[-1])).reshape(*index.shape, -1)


def gather_values(values: Tensor, index: Tensor) -> Tensor:
    """Picks values of each clip's patches: :func:`gather_tokens` for one number per patch.

    Source: as for :func:`gather_tokens`.

    Args:
        values: ``(B, N)``, any dtype.
        index: ``(B * K, L)`` int64 patches; the K rows of a clip are consecutive.

    Returns:
        ``(B * K, L)``.

    Example:
        >>> import torch
        >>> gather_values(torch.tensor([[10, 11, 12]]), torch.tensor([[0, 2], [1, 0]]))
        tensor([[10, 12],
                [11, 10]])
    """
    return values.gather(1, index.reshape(len(values), -1)).reshape(index.shape)
