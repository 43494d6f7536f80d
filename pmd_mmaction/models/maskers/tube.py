"""Tube masking (VideoMAE, MVD)."""

import torch
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.models.maskers.base import Masker


@MODELS.register_module()
class TubeMasker(Masker):
    """Masks the same positions in every time step, so that no patch reappears over time.

    Args:
        token_grid: tokens along (time, height, width). The recognizer fills it in.
    """

    def rank(self, batch: int, generator: torch.Generator) -> Tensor:
        """One random ranking of the positions, repeated over time."""
        groups, length = self.group_shape
        ranks = torch.rand(batch, 1, length, generator=generator, device=generator.device)
        return ranks.expand(-1, groups, -1)
