"""From a mask to token indices without a host synchronisation."""

import torch
from torch import Tensor


def visible_count(length: int, mask_ratio: float) -> int:
    """Visible patches among ``length``: ``length - floor(length * mask_ratio)``.

    Rounds the masked patches down, as VideoMAE and MVD do (196 patches at 0.9: 20 visible).
    """
    # The epsilon keeps products such as 0.29 * 100 = 28.999... from losing a patch.
    return length - int(length * mask_ratio + 1e-6)


def split_mask(mask: Tensor, num_visible: int) -> tuple[Tensor, Tensor]:
    """Indices of visible and of masked patches, each in ascending order.

    Args:
        mask: ``(B, N)`` bool, True = masked, with exactly ``num_visible`` False per row.
        num_visible: V. It is an argument because reading it off the mask would wait for
            the device.

    Returns:
        ``(B, V)`` and ``(B, M)`` int64 indices.
    """
    # The n-th visible patch goes to place n, the n-th masked one to place V + n: no sort.
    place = torch.where(mask, num_visible - 1 + mask.cumsum(1), (~mask).cumsum(1) - 1)
    patches = torch.arange(mask.shape[1], device=mask.device).expand_as(place)
    order = torch.empty_like(place).scatter(1, place, patches)
    return order[:, :num_visible], order[:, num_visible:]


def gather_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Picks tokens of each clip, for one or several masks of it.

    Args:
        tokens: ``(B, N, D)``.
        index: ``(B * K, L)`` int64 patches; the K rows of a clip follow each other.

    Returns:
        ``(B * K, L, D)``.
    """
    flat = index.reshape(len(tokens), -1, 1)  # all masks of a clip: its tokens are not copied
    return tokens.gather(1, flat.expand(-1, -1, tokens.shape[-1])).reshape(*index.shape, -1)


def gather_values(values: Tensor, index: Tensor) -> Tensor:
    """Picks one number per patch, ``(B, N)`` to ``(B * K, L)``; see :func:`gather_tokens`."""
    return values.gather(1, index.reshape(len(values), -1)).reshape(index.shape)
