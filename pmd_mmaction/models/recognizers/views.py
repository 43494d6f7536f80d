"""Which patches the student and the auxiliary teacher see in one iteration."""

from typing import NamedTuple

import torch
from torch import Tensor

from pmd_mmaction.functional import gather_tokens, split_mask
from pmd_mmaction.models.maskers import Masker


class MaskedView(NamedTuple):
    """Patch indices of a batch, each row in ascending order, int64.

    Attributes:
        visible_index: ``(B, V)`` patches the student sees.
        masked_index: ``(B, M)`` patches it decodes.
        aux_visible_index: ``(B, V')`` patches the auxiliary teacher sees.
        aux_masked_index: ``(B, M')`` patches it decodes, a subset of ``masked_index``.
        aux_slot: ``(B, M')`` where those stand in ``masked_index``; None if both are equal.
    """

    visible_index: Tensor
    masked_index: Tensor
    aux_visible_index: Tensor
    aux_masked_index: Tensor
    aux_slot: Tensor | None

    def masked(self, tokens: Tensor) -> Tensor:
        """``(B, N, D)`` of all patches to ``(B, M, D)`` of the masked ones."""
        return gather_tokens(tokens, self.masked_index)

    def aux_masked(self, decoded: Tensor) -> Tensor:
        """``(B, M, D)`` to the ``(B, M', D)`` that the auxiliary teacher decodes too."""
        return decoded if self.aux_slot is None else gather_tokens(decoded, self.aux_slot)


def draw_view(
    masker: Masker,
    batch: int,
    mask_ratio: float,
    aux_ratio: float | None,
    generator: torch.Generator,
) -> MaskedView:
    """Draws the masks of a batch.

    Args:
        masker: ranks the patches.
        batch: number of clips B.
        mask_ratio: the student's share of masked patches.
        aux_ratio: the auxiliary teacher's own, lower ratio; None: it sees what the student
            sees.
        generator: source of randomness; its device is the result's.
    """
    ranks = masker.rank(batch, generator)
    mask = masker.mask(ranks, mask_ratio)
    visible, masked = split_mask(mask, masker.num_visible(mask_ratio))
    if aux_ratio is None:
        return MaskedView(visible, masked, visible, masked, None)
    aux_mask = masker.mask(ranks, aux_ratio)
    aux_visible, aux_masked = split_mask(aux_mask, masker.num_visible(aux_ratio))
    # The n-th masked patch stands at place n of masked_index.
    slot = (mask.cumsum(1) - 1).gather(1, aux_masked)
    return MaskedView(visible, masked, aux_visible, aux_masked, slot)
