"""Rows of the frame read and written through boxes, against loops over patches and cells."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from pmd_mmaction.functional import gather_crop, overlaps, spread_crop

GRID = (2, 3, 4)
BOXES = dict(
    whole=(0, 0, 1, 1),
    inner=(0.2, 0.1, 0.7, 0.9),
    corner=(0.5, 0.5, 1, 1),
    flipped=(0.9, 0.1, 0.3, 0.8),
    upside_down=(0.3, 1, 1, 0.25),
)


def _edges(low, high, cells):
    """Intervals of the patches in units of cells."""
    edges = [cells * low + (high - low) * p for p in range(cells + 1)]
    return [sorted(pair) for pair in pairwise(edges)]


def _area(box, grid, p, c):
    """Of the patch (y, x) in the cell (i, j), in cells."""
    left, top, right, bottom = box
    area = 1.0
    for axis, (low, high) in enumerate(((top, bottom), (left, right))):
        begin, end = _edges(low, high, grid[1 + axis])[p[axis]]
        area *= max(0.0, min(end, c[axis] + 1) - max(begin, c[axis]))
    return area


def _cells(grid):
    return [(i, j) for i in range(grid[1]) for j in range(grid[2])]


def gather_loop(row, box, grid):
    """(N,) values of a crop's patches."""
    row = row.reshape(grid)
    out = np.zeros(grid)
    for t in range(grid[0]):
        for p in _cells(grid):
            seen = [(_area(box, grid, p, c), row[t][c]) for c in _cells(grid) if row[t][c] != 0]
            area = sum(a for a, _ in seen)
            out[t][p] = sum(a * value for a, value in seen) / area if area > 1e-9 else 0
    return out.flatten()


def spread_loop(row, last, box, grid):
    """(N,) values of the cells, NaN where none."""
    row, last = row.reshape(grid), last.reshape(grid)
    out = np.full(grid, np.nan)
    for t in range(grid[0]):
        for c in _cells(grid):
            seen = [(_area(box, grid, p, c), row[t][p]) for p in _cells(grid)]
            seen = [(a, value) for a, value in seen if a > 1e-9 and not np.isnan(value)]
            if seen:
                area = sum(a for a, _ in seen)
                rest = max(0, 1 - area) if last[t][c] != 0 else 0
                total = sum(a * value for a, value in seen)
                out[t][c] = (total + rest * last[t][c]) / (area + rest)
    return out.flatten()


def _rows(seed, empty, value):
    """(boxes, 2 teachers, N), some of the values missing."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(BOXES), 2, 24)
    rows = torch.rand(shape, generator=generator) + 0.5
    return rows.masked_fill(torch.rand(shape, generator=generator) < empty, value)


def _boxes():
    return torch.tensor(list(BOXES.values()), dtype=torch.float32)


def test_gathering_is_the_loop():
    rows = _rows(0, 0.3, 0)
    found = gather_crop(rows, _boxes(), GRID)
    for b, box in enumerate(BOXES.values()):
        for k in range(2):
            expected = gather_loop(rows[b, k].double().numpy(), box, GRID)
            np.testing.assert_allclose(found[b, k], expected, rtol=1e-4, err_msg=str(box))


@pytest.mark.parametrize('masked', [0.25, 0.9])
def test_spreading_is_the_loop(masked):
    rows, last = _rows(1, 1 - masked, torch.nan), _rows(2, 0.3, 0)
    found = spread_crop(rows, last, _boxes(), GRID)
    for b, box in enumerate(BOXES.values()):
        for k in range(2):
            pair = (rows[b, k].double().numpy(), last[b, k].double().numpy())
            expected = spread_loop(*pair, box, GRID)
            np.testing.assert_allclose(found[b, k], expected, rtol=1e-4, err_msg=str(box))


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32])
@pytest.mark.parametrize('grid', [(2, 3, 4), (1, 14, 14), (8, 7, 13)])
def test_the_whole_frame_gives_the_same_bits(grid, dtype):
    shape = (2, 3, np.prod(grid))
    rows = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(dtype) * 7
    holes = torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.5
    whole = torch.tensor([[0.0, 0, 1, 1]] * 2)
    assert torch.equal(gather_crop(rows * ~holes, whole, grid), rows * ~holes)
    new = spread_crop(rows.masked_fill(holes, torch.nan), rows.flip(2), whole, grid)
    assert new.dtype == dtype and torch.equal(new.isnan(), holes)
    assert torch.equal(new[~holes], rows[~holes])


def test_a_flip_alone_reverses_the_columns():
    rows = torch.rand(1, 1, 24)
    found = gather_crop(rows, torch.tensor([[1.0, 0, 0, 1]]), GRID)
    assert torch.equal(found.view(GRID), rows.view(GRID).flip(2))


@pytest.mark.parametrize('box', BOXES.values(), ids=BOXES)
def test_nothing_is_lost_and_equal_values_stay_equal(box):
    boxes, old = torch.tensor([box], dtype=torch.float32), torch.full((1, 1, 24), 2.0)
    rows = _rows(3, 0, 0)[:1, :1]
    for low, high, cells in ((1, 3, 3), (0, 2, 4)):
        share = overlaps(boxes[:, low], boxes[:, high], cells).sum(2)  # of each patch: all of it
        assert share.numpy() == pytest.approx(abs(box[high] - box[low]), rel=1e-4)
    # into an empty table and back: a mean over the cells, so within the range
    back = gather_crop(spread_crop(rows, old * 0, boxes, GRID).nan_to_num(0), boxes, GRID)
    assert rows.min() - 1e-6 <= back.min() and back.max() <= rows.max() + 1e-6
    same = spread_crop(torch.full_like(rows, 2.0), old, boxes, GRID)
    assert same[~same.isnan()].allclose(torch.tensor(2.0))
    assert gather_crop(old, boxes, GRID).allclose(torch.tensor(2.0))


def test_a_cell_that_is_hardly_touched_keeps_most_of_its_value():
    # the crop reaches a tenth into the last of two cells
    rows, last = torch.tensor([[[5.0, 5.0]]]), torch.tensor([[[1.0, 1.0]]])
    new = spread_crop(rows, last, torch.tensor([[0.0, 0, 0.55, 1]]), (1, 1, 2))
    assert new.flatten().tolist() == pytest.approx([5, 1.4], rel=1e-3)


def test_rounding_of_a_box_reaches_no_other_cell():
    edge = torch.tensor([[0.0, 0, 0.5 + 3e-8, 1]])
    assert spread_crop(torch.ones(1, 1, 2), torch.zeros(1, 1, 2), edge, (1, 1, 2))[0, 0, 1].isnan()


def test_a_value_that_is_not_finite_spoils_its_clip_alone():
    rows = torch.ones(2, 2, 24)
    rows[0, 1, 3] = torch.inf
    new = spread_crop(rows, rows * 0 + 1, _boxes()[[1, 1]], GRID)
    assert new[0].isinf().all() and not new[1].isinf().any()


def test_autocast_does_not_round():
    rows = _rows(4, 0, 0)
    plain = gather_crop(rows, _boxes(), GRID)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(gather_crop(rows, _boxes(), GRID), plain)
