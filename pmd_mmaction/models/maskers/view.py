"""Which patches of a clip a network sees, and which it decodes."""

from typing import NamedTuple

import torch
from torch import Tensor

from pmd_mmaction.functional import gather_tokens


class View(NamedTuple):
    """Patch indices of R masks, each row in ascending order, int64.

    R is the number of clips B, or ``B * num_masks``: the masks of a clip follow each other.

    Attributes:
        visible: ``(R, V)`` patches that are seen.
        masked: ``(R, M)`` patches that are decoded.
    """

    visible: Tensor
    masked: Tensor

    def at_masked(self, tokens: Tensor) -> Tensor:
        """``(B, N, D)`` of all patches to ``(R, M, D)`` of the masked ones."""
        return gather_tokens(tokens, self.masked)


def places(index: Tensor, within: Tensor, num_patches: int) -> Tensor:
    """Where patches stand in a list of patches.

    Args:
        index: ``(R, L)`` int64 patches, each of which must be in ``within``.
        within: ``(R, K)`` int64 patches, in any order.
        num_patches: N.

    Returns:
        ``(R, L)`` int64 places in [0, K). A patch that is not there gets K, with which the gather
        of a token fails: on the CPU with an IndexError, on a GPU with a device-side assertion.
    """
    count = torch.arange(within.shape[1], device=within.device).expand_as(within)
    absent = within.shape[1]
    table = within.new_full((within.shape[0], num_patches), absent).scatter(1, within, count)
    return table.gather(1, index)
