"""Running-cell masking (VideoMAE V2)."""

import torch
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.arguments import TokenGrid, Whole, checked
from pmd_mmaction.models.maskers.base import Masker


@MODELS.register_module()
class RunningCellMasker(Masker):
    """Moves the visible positions of each cell on by one with every time step.

    Positions are grouped into cells of ``cell x cell``. Within a cell they take turns being
    visible, so that over ``cell ** 2`` time steps each is visible equally often. Ratios that are
    not a multiple of ``1 / cell ** 2`` are met exactly by a random choice among the positions
    whose turn is next.

    Args:
        token_grid: tokens along (time, height, width). The recognizer fills it in.
        cell: side of a cell in tokens.
        backward: the places run back instead of on, as in VideoMAE V2's code.

    Raises:
        ValueError: if the cell is not a positive integer, or larger than the grid.
    """

    @checked
    def __init__(self, token_grid: TokenGrid, cell: Whole = 2, backward: bool = False) -> None:
        super().__init__(token_grid)
        if cell > min(self.token_grid[1:]):
            raise ValueError(
                f'RunningCellMasker: cell={cell} does not fit a token grid of '
                f'{self.token_grid[1:]}; it must be at most {min(self.token_grid[1:])}'
            )
        self.cell = cell
        self.backward = backward

    def rank(self, batch: int, generator: torch.Generator) -> Tensor:
        """Turns until a position is visible, plus a random tie-break below 1."""
        t, h, w = self.token_grid
        device, turns = generator.device, self.cell**2
        rows = torch.arange(h, device=device) % self.cell
        columns = torch.arange(w, device=device) % self.cell
        place = (rows[:, None] * self.cell + columns).flatten()
        time = torch.arange(t, device=device)
        start = torch.randint(turns, (batch, 1, 1), generator=generator, device=device)
        time = -time if self.backward else time
        turn = (place - time[:, None] + start) % turns
        tie = torch.rand(batch, 1, h * w, generator=generator, device=device)
        return turn + tie
