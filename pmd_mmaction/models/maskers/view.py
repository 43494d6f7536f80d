"""A view: the patches of a clip that a network sees, and those that it decodes."""

from typing import NamedTuple

import torch
from torch import Tensor

from pmd_mmaction.functional import gather_tokens


class View(NamedTuple):
    """Patch indices of R masks, each row in ascending order, int64.

    R is the number of clips B, or ``B * num_masks``, the masks of a clip in consecutive rows.

    Attributes:
        visible: ``(R, V)`` patches that the network sees.
        masked: ``(R, M)`` patches that it decodes.
    """

    visible: Tensor
    masked: Tensor

    @property
    def counted(self) -> Tensor | None:
        """``(R, M)`` bool: decoded patches whose losses count; None: all of them."""
        return None

    def to(self, device: torch.device | str) -> 'View':
        """The same patches on another device."""
        return self._make(index.to(device) for index in self)

    def at_masked(self, tokens: Tensor) -> Tensor:
        """Picks the masked patches: ``(B, N, D)`` to ``(R, M, D)``."""
        return gather_tokens(tokens, self.masked)


class WholeClipView(View):
    """A view whose decoded patches are drawn from the whole clip (VideoMAE V2).

    Some of them are visible too: they are decoded from a mask token like the others, and their
    losses do not count.
    """

    __slots__ = ()

    @property
    def counted(self) -> Tensor:
        """``(R, M)`` bool: decoded patches that are not visible."""
        return ~is_among(self.masked, self.visible)


def is_among(index: Tensor, patches: Tensor) -> Tensor:
    """Which of the patches ``index`` are in a list, ``(R, L)`` bool.

    Args:
        index: ``(R, L)`` int64 patches.
        patches: ``(R, K)`` int64, each row in ascending order.
    """
    place = torch.searchsorted(patches.contiguous(), index.contiguous())
    return patches.gather(1, place.clamp_max(patches.shape[1] - 1)) == index


def positions_within(index: Tensor, within: Tensor, num_patches: int) -> Tensor:
    """Positions of patches in a list of patches.

    Args:
        index: ``(R, L)`` int64 patches, each of which must be in ``within``.
        within: ``(R, K)`` int64 patches, in any order.
        num_patches: number of patches N.

    Returns:
        ``(R, L)`` int64 positions in [0, K). A missing patch gets K, which makes a later gather
        fail: on the CPU with a RuntimeError, on a GPU with a device-side assertion.
    """
    count = torch.arange(within.shape[1], device=within.device).expand_as(within)
    absent = within.shape[1]
    table = within.new_full((within.shape[0], num_patches), absent).scatter(1, within, count)
    return table.gather(1, index)
