"""Masking of moving objects (SMILE)."""

import torch
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.arguments import ClipSize, Ratio, Share, TokenGrid, checked
from pmd_mmaction.functional import object_ranks, object_tokens, visible_count
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
        tube_ratio: mask ratio of the tubes; where the number is not met, single patches are shown
            or masked at random, as in SMILE's code. None: whole tubes are, so that masks of any
            ratio are tubes beside the objects.

    Raises:
        ValueError: for a share outside [0, 1], or a ratio outside (0, 1).
    """

    reads = ('object_boxes',)

    @checked
    def __init__(
        self,
        token_grid: TokenGrid,
        clip_size: ClipSize,
        kept: Share = 0.1,
        tube_ratio: Ratio | None = None,
    ) -> None:
        super().__init__(token_grid)
        if tube_ratio is not None:
            self.check_ratio(tube_ratio)
        self.frame_size = tuple(clip_size[2:])
        self.kept = kept
        self.tube_ratio = tube_ratio

    @property
    def rounded_over(self) -> int:
        """The ratio is that of a time step, as of tubes."""
        return self.token_grid[1] * self.token_grid[2]

    def rank(self, batch: int, generator: torch.Generator, object_boxes: Tensor) -> Tensor:
        """See :func:`object_ranks`; ``object_boxes`` are ``(B, objects, T, 4)``."""
        t, places = self.token_grid[0], self.rounded_over
        device = generator.device
        tube = torch.rand(batch, places, generator=generator, device=device)
        tube = tube.argsort(1).argsort(1)
        noise = torch.rand(batch, t * places, generator=generator, device=device)
        if self.tube_ratio is None:
            others = (tube / places).repeat(1, t)  # so far apart that no sum makes two equal
        else:
            masked = tube >= visible_count(places, self.tube_ratio)
            others = (masked.repeat(1, t) + noise) / 2
        objects = object_tokens(object_boxes, self.token_grid, self.frame_size)
        noise = torch.where(objects, noise, others)
        return object_ranks(objects, noise, self.kept)[:, None]
