"""Base class of maskers: a random ranking of the patches becomes a mask."""

import math
from typing import Annotated

import torch
from torch import Tensor, nn

from pmd_mmaction.arguments import TokenGrid, checked, number, require
from pmd_mmaction.functional import split_mask, visible_count
from pmd_mmaction.models.maskers.view import View


class Masker(nn.Module):
    """Draws masks with an exact number of visible patches per clip.

    A subclass ranks the patches at random, in groups; in each group the patches with the
    lowest ranks stay visible. Masks of two ratios made from one ranking are nested: the
    visible set of the higher ratio is a subset of that of the lower one.

    Args:
        token_grid: tokens along (time, height, width). The recognizer fills it in, as it does
            ``clip_size`` (C, T, H, W) where a subclass has it.

    Attributes:
        reads: what :meth:`rank` takes besides, by name: fields of the data samples' metainfo,
            arrays with a row for each clip, which become tensors with B rows on the clips' device.

    Raises:
        ValueError: for an invalid grid.
    """

    reads: tuple[str, ...] = ()

    @checked
    def __init__(self, token_grid: TokenGrid) -> None:
        super().__init__()
        self.token_grid = tuple(token_grid)

    @property
    def group_shape(self) -> tuple[int, int]:
        """(groups, patches per group); their product is N. One group per time step."""
        t, h, w = self.token_grid
        return t, h * w

    def rank(self, batch: int, generator: torch.Generator, **reads: Tensor) -> Tensor:
        """Random ``(B, groups, patches per group)`` float scores on the generator's device."""
        raise NotImplementedError(f'{type(self).__name__} has no rank(batch, generator)')

    @property
    def rounded_over(self) -> int:
        """Patches of which the ratio is met, rounded; a group has a multiple of them."""
        return self.group_shape[1]

    def visible_per_group(self, mask_ratio: float) -> int:
        """Patches of a group that stay visible at this ratio."""
        length = self.rounded_over
        return self.group_shape[1] // length * visible_count(length, mask_ratio)

    def num_visible(self, mask_ratio: float) -> int:
        """V, the number of visible patches of a clip at this ratio."""
        return self.group_shape[0] * self.visible_per_group(mask_ratio)

    def check_ratio(self, mask_ratio: float) -> None:
        """Refuses a ratio that leaves nothing visible or nothing masked.

        Raises:
            ValueError: naming the ratio and the grid.
        """
        require(self, Annotated[float, number()], mask_ratio=mask_ratio)
        length = self.rounded_over
        visible = visible_count(length, mask_ratio)
        if not 0 < visible < length:
            what = 'visible' if visible <= 0 else 'masked'
            lowest = math.ceil(1000 / length) / 1000  # rounded up: 0.062 of 16 patches is none
            raise ValueError(
                f'mask_ratio {mask_ratio} leaves no {what} patch among the {length} of a group '
                f'(token grid {self.token_grid}): choose a ratio between {lowest:.3f} and '
                f'{1 - 1 / length:.3f}, or a finer grid'
            )

    def order(self, batch: int, generator: torch.Generator, **reads: Tensor) -> Tensor:
        """Draws a ranking of the patches in each group; those ranked first stay visible longest.

        Args:
            batch: number of clips B.
            generator: source of randomness; its device is the result's.
            **reads: what ``reads`` names.

        Returns:
            ``(B, groups, patches per group)`` int64 positions in the group.
        """
        return self.rank(batch, generator, **reads).argsort(dim=-1, stable=True)

    def disjoint_orders(self, order: Tensor, num_masks: int, mask_ratio: float) -> Tensor:
        """Derives several rankings from one, with disjoint visible sets at a given ratio.

        In the ranking, the visible patches of each mask follow those of the previous mask; they
        wrap around where ``num_masks`` sets do not fit into a group.

        Args:
            order: ``(B, groups, patches per group)``, result of :meth:`order`.
            num_masks: masks per clip K.
            mask_ratio: fraction of masked patches in (0, 1).

        Returns:
            ``(B * K, groups, patches per group)``.
        """
        visible = self.visible_per_group(mask_ratio)
        orders = [order.roll(-k * visible, -1) for k in range(num_masks)]
        return torch.stack(orders, 1).flatten(0, 1)

    @staticmethod
    def permuted_orders(order: Tensor, num_masks: int, generator: torch.Generator) -> Tensor:
        """Several rankings for a clip: its own, then each time that of a random clip (SMILE).

        A permutation of the batch hands the rankings round, so a clip may get its own again.

        Args:
            order: ``(B, groups, patches per group)``, result of :meth:`order`.
            num_masks: masks per clip K.
            generator: source of randomness, on the device of ``order``.

        Returns:
            ``(B * K, groups, patches per group)``.
        """
        batch, device = len(order), order.device
        others = [
            order[torch.randperm(batch, generator=generator, device=device)]
            for _ in range(num_masks - 1)
        ]
        return torch.stack([order, *others], 1).flatten(0, 1)

    def view(self, order: Tensor, mask_ratio: float) -> View:
        """Masks everything but the first patches of each group.

        Views of two ratios made from one ranking are nested.

        Args:
            order: ``(R, groups, patches per group)``, result of :meth:`order` or
                :meth:`disjoint_orders`.
            mask_ratio: share of masked patches in (0, 1).
        """
        visible = self.visible_per_group(mask_ratio)
        # scatter of a scalar keeps everything on the device
        mask = torch.ones_like(order, dtype=torch.bool)
        mask = mask.scatter(-1, order[..., :visible], False).flatten(1)
        return View(*split_mask(mask, order.shape[1] * visible))
