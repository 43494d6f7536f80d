"""Cube masking: random tubelets."""

import torch
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.models.maskers.base import Masker


@MODELS.register_module()
class CubeMasker(Masker):
    """Masks tubelets independently over time and space.

    Args:
        token_grid: tokens along (time, height, width). The recognizer fills it in.
    """

    @property
    def group_shape(self) -> tuple[int, int]:
        """All patches form one group."""
        t, h, w = self.token_grid
        return 1, t * h * w

    def rank(self, batch: int, generator: torch.Generator) -> Tensor:
        """A random ranking of all patches."""
        groups, length = self.group_shape
        return torch.rand(batch, groups, length, generator=generator, device=generator.device)
