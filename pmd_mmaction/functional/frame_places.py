"""The difficulty of a place of the frame, and the patches of a crop that show it.

A row of the difficulty table then covers the whole frame with the token grid of a clip. The box
``(left, top, right, bottom)`` of a crop tells where in the upright frame, whose sides are 1, the
edges of the clip lie; a clip that was flipped has ``left > right`` (or ``top > bottom``). Resizing
changes no box. Along time a cell is a relative position in the clip, wherever the clip starts.
"""

import torch
from torch import Tensor

SLIVER = 2**-16  # of a cell; what boxes in float32 are not to be told apart by


def overlaps(low: Tensor, high: Tensor, length: int) -> Tensor:
    """How much of each cell of the frame each patch of a crop covers, along one axis.

    ``a_{p,c} = |[e_p, e_{p+1}] cut with [c, c+1]|`` with the patches' edges
    ``e_p = length low + (high - low) p``; patches and cells are ``length`` each.

    Source: ours; the weights of area-averaging image resizing.

    Args:
        low: ``(B,)`` where the first edge of the crop lies, in [0, 1] of the frame.
        high: ``(B,)`` where the last one lies; below ``low`` for a clip that was flipped.
        length: cells along this axis.

    Returns:
        ``(B, patches, cells)`` float64 in [0, 1]; 0 and 1 alone for the whole frame.

    Example:
        >>> import torch
        >>> overlaps(torch.tensor([0.5]), torch.tensor([1.0]), 2)  # both see half of cell 1
        tensor([[[0.0000, 0.5000],
                 [0.0000, 0.5000]]], dtype=torch.float64)
    """
    low, high = low.double()[:, None], high.double()[:, None]
    place = torch.arange(length + 1, device=low.device, dtype=low.dtype)
    edges = ((length * low + (high - low) * place) / SLIVER).round() * SLIVER
    begin = torch.minimum(edges[:, :-1], edges[:, 1:])[:, :, None]
    end = torch.maximum(edges[:, :-1], edges[:, 1:])[:, :, None]
    return (torch.minimum(end, place[1:]) - torch.maximum(begin, place[:-1])).clamp(min=0)


def gather_crop(rows: Tensor, boxes: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """Values of the patches of crops, from rows that cover the frame.

    ``x_p = sum_c a_{p,c} X_c / sum_c a_{p,c}`` over the cells c that have a value: the mean over
    the patch's area. Unlike the nearest cell it does not jump when a box moves by a pixel.

    Source: ours; ``a`` of :func:`overlaps` for rows times that for columns.

    Args:
        rows: ``(B, K, N)`` values of the frame, 0 where there is none (never masked).
        boxes: ``(B, 4)`` left, top, right, bottom of each crop, on the device of ``rows``.
        grid: tokens along (time, height, width) of the clip, N together.

    Returns:
        ``(B, K, N)`` of the same dtype; 0 where no cell of the patch has a value. The same bits
        for the box ``(0, 0, 1, 1)``.

    Example:
        >>> import torch
        >>> rows, right = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[0.25, 0.0, 1.0, 1.0]])
        >>> gather_crop(rows, right, grid=(1, 1, 2))  # 1/3 of the first patch is in cell 1
        tensor([[[1.6667, 3.0000]]])
    """
    frame = rows.double().unflatten(-1, grid)
    weights = _weights(boxes, grid)
    area = torch.einsum('bktij,byi,bxj->bktyx', (frame != 0).double(), *weights)
    total = torch.einsum('bktij,byi,bxj->bktyx', frame, *weights)
    return torch.where(area > 0, total / area, 0).flatten(2).to(rows.dtype)


def spread_crop(rows: Tensor, last: Tensor, boxes: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """New values of the frame's cells, from those of the masked patches of crops.

    ``X_c = (sum_p a_{p,c} x_p + r_c X'_c) / (A_c + r_c)`` with ``A_c = sum_p a_{p,c}`` over the
    masked patches p, the old value X' and the rest ``r_c = 1 - A_c`` of the cell, or 0 if it had
    none: what a patch covers is replaced, what none covers is kept. Equal values stay equal.

    Source: ours; ``a`` of :func:`overlaps` for rows times that for columns.

    Args:
        rows: ``(B, K, N)`` values of the clips' patches, NaN where not masked, see ``pack_rows``.
        last: ``(B, K, N)`` the frame's values so far, 0 where there is none.
        boxes: ``(B, 4)`` left, top, right, bottom of each crop, on the device of ``rows``.
        grid: tokens along (time, height, width) of the clip, N together.

    Returns:
        ``(B, K, N)`` of the dtype of ``rows``, NaN where no masked patch touches the cell; all of a
        clip's are infinite if one of its values is. The same bits for the box ``(0, 0, 1, 1)``.

    Example:
        >>> import torch
        >>> rows, last = torch.tensor([[[2.0, 2.0]]]), torch.tensor([[[0.0, 4.0]]])
        >>> middle = torch.tensor([[0.25, 0.0, 0.75, 1.0]])
        >>> spread_crop(rows, last, middle, grid=(1, 1, 2))  # half of each cell is seen
        tensor([[[2., 3.]]])
    """
    infinite = rows.isinf().flatten(1).any(1)[:, None, None]
    masked = rows.isfinite()
    values = torch.where(masked, rows, 0).double().unflatten(-1, grid)
    weights = _weights(boxes, grid)
    total = torch.einsum('bktyx,byi,bxj->bktij', values, *weights).flatten(2)
    area = masked.double().unflatten(-1, grid)
    area = torch.einsum('bktyx,byi,bxj->bktij', area, *weights).flatten(2)
    rest = torch.where(last != 0, (1 - area).clamp(min=0), 0)
    new = (total + rest * last.double()) / (area + rest)
    new = torch.where(area > 0, new, torch.nan)
    return new.masked_fill(infinite, torch.inf).to(rows.dtype)


def _weights(boxes: Tensor, grid: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Overlaps of rows and of columns. In float64, which neither autocast nor TF32 rounds."""
    left, top, right, bottom = boxes.unbind(1)
    return overlaps(top, bottom, grid[1]), overlaps(left, right, grid[2])
