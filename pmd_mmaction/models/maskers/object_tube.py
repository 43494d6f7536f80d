"""Masking of moving objects (SMILE)."""

import torch
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.arguments import ClipSize, Share, TokenGrid, checked
from pmd_mmaction.functional import object_ranks, object_tokens
from pmd_mmaction.models.maskers.cube import CubeMasker


@MODELS.register_module()
class ObjectTubeMasker(CubeMasker):
    """Tubes, and besides most patches of the objects that :class:`PasteMovingObjects` pastes.

    The number of masked patches is that of tubes, exactly, but not in each time step. SMILE's code
    fails where it has nothing to exchange; here the number is met whatever the boxes are.

    Args:
        token_grid: tokens along (time, height, width). The recognizer fills it in.
        clip_size: (C, T, H, W) of the clips. The recognizer fills it in.
        kept: share of the objects' patches that stays visible.

    Raises:
        ValueError: for a share outside [0, 1].
    """

    reads = ('object_boxes',)

    @checked
    def __init__(
        self,
        token_grid: TokenGrid,
        clip_size: ClipSize,
        kept: Share = 0.1,
    ) -> None:
        super().__init__(token_grid)
        self.frame_size = tuple(clip_size[2:])
        self.kept = kept

    @property
    def rounded_over(self) -> int:
        """The ratio is that of a time step, as of tubes."""
        return self.token_grid[1] * self.token_grid[2]

    def rank(self, batch: int, generator: torch.Generator, object_boxes: Tensor) -> Tensor:
        """See :func:`object_ranks`; ``object_boxes`` are ``(B, objects, T, 4)``."""
        t, places = self.token_grid[0], self.rounded_over
        device = generator.device
        tube = torch.rand(batch, places, generator=generator, device=device)
        tube = tube.argsort(1).argsort(1) / places  # so far apart that no sum makes two equal
        noise = torch.rand(batch, t * places, generator=generator, device=device)
        objects = object_tokens(object_boxes, self.token_grid, self.frame_size)
        noise = torch.where(objects, noise, tube.repeat(1, t))
        return object_ranks(objects, noise, self.kept)[:, None]
