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
    # False sorts before True; stability keeps the patch order within each part.
    order = mask.to(torch.uint8).argsort(dim=1, stable=True)
    return order[:, :num_visible], order[:, num_visible:]


def gather_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Picks ``index`` ``(B, L)`` out of ``tokens`` ``(B, N, D)``; gives ``(B, L, D)``."""
    return tokens.gather(1, index.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
