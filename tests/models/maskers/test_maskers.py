"""What the masks guarantee."""

import itertools
import math
import re

import pytest
import torch
from mmaction.registry import MODELS

from pmd_mmaction.models import CubeMasker, RunningCellMasker, TubeMasker
from tests.every import every

MASKERS = [TubeMasker, CubeMasker, RunningCellMasker]
GRIDS = [(2, 4, 4), (3, 5, 7), (8, 14, 14), (1, 3, 3)]
RATIOS = [0.34, 0.5, 0.61, 0.75, 0.80, 0.85, 0.88]
every_masker = pytest.mark.parametrize('masker_type', MASKERS)


def draw(masker, ratio, batch=3, seed=0):
    order = masker.order(batch, torch.Generator().manual_seed(seed))
    return mask_of(masker.view(order, ratio))


def mask_of(view):
    """``(R, N)`` bool; every patch is visible or masked, once, in ascending order."""
    both = torch.cat(view, 1)
    assert torch.equal(both.sort(1).values, torch.arange(both.shape[1]).expand_as(both))
    assert all((index.diff(dim=1) > 0).all() for index in view)
    return torch.zeros(both.shape, dtype=torch.bool).scatter(1, view.masked, True)


@every_masker
@every('case', itertools.product(GRIDS, RATIOS))
def test_every_clip_has_the_exact_number_of_masked_patches(masker_type, case):
    grid, ratio = case
    masker = masker_type(grid)
    mask = draw(masker, ratio)
    t, h, w = grid
    if masker_type is CubeMasker:
        masked = math.floor(round(t * h * w * ratio, 6))
    else:
        masked = t * math.floor(round(h * w * ratio, 6))
    assert mask.dtype == torch.bool and mask.shape == (3, t * h * w)
    assert mask.sum(1).tolist() == [masked] * 3
    assert masker.num_visible(ratio) == t * h * w - masked


@every_masker
def test_the_first_of_each_group_stay_visible(masker_type):
    masker = masker_type((2, 4, 4))
    groups, length = masker.group_shape
    order = torch.arange(length).flip(0).expand(3, groups, length)
    mask = mask_of(masker.view(order, 0.75)).view(3, groups, length)
    masked = length - length // 4
    assert mask[..., :masked].all() and not mask[..., masked:].any()


@every_masker
def test_nested_masks_of_rising_ratios(masker_type):
    masker = masker_type((4, 6, 6))
    order = masker.order(5, torch.Generator().manual_seed(0))
    masks = [mask_of(masker.view(order, ratio)) for ratio in RATIOS]
    for low, high in itertools.pairwise(masks):
        assert (high | ~low).all()  # whatever the low ratio masks, the high one masks too


@every_masker
@pytest.mark.parametrize('ratio', [0.75, 0.9])
def test_several_masks_of_a_clip_show_other_patches_each(masker_type, ratio):
    masker = masker_type((4, 6, 6))
    order = masker.order(3, torch.Generator().manual_seed(0))
    orders = masker.disjoint_orders(order, 4, ratio)
    visible = ~mask_of(masker.view(orders, ratio)).unflatten(0, (3, 4))
    assert (visible.sum(1) <= 1).all()
    assert torch.equal(visible[:, 0], ~mask_of(masker.view(order, ratio)))
    wider = ~mask_of(masker.view(orders, 0.5)).unflatten(0, (3, 4))
    assert (wider | ~visible).all()


@every_masker
def test_more_masks_than_fit_are_exact_still(masker_type):
    masker = masker_type((2, 4, 4))
    order = masker.order(2, torch.Generator().manual_seed(0))
    mask = mask_of(masker.view(masker.disjoint_orders(order, 5, 0.6), 0.6))
    assert mask.shape == (10, 32)
    assert (mask.sum(1) == 32 - masker.num_visible(0.6)).all()


@every_masker
def test_the_ranks_are_sorted_once(masker_type):
    masker = masker_type((4, 6, 6))
    ranks = masker.rank(2, torch.Generator().manual_seed(0))
    order = masker.order(2, torch.Generator().manual_seed(0))
    assert (ranks.gather(-1, order).diff(dim=-1) >= 0).all()


@every_masker
def test_masks_are_a_function_of_the_seed(masker_type):
    masker = masker_type((4, 6, 6))
    assert torch.equal(draw(masker, 0.75, seed=5), draw(masker, 0.75, seed=5))
    assert not torch.equal(draw(masker, 0.75, seed=5), draw(masker, 0.75, seed=6))


@every_masker
def test_drawing_leaves_the_global_random_state_alone(masker_type):
    state = torch.get_rng_state()
    draw(masker_type((4, 6, 6)), 0.75)
    assert torch.equal(torch.get_rng_state(), state)


@every_masker
def test_clips_of_a_batch_have_masks_of_their_own(masker_type):
    mask = draw(masker_type((4, 6, 6)), 0.8, batch=8)
    assert len(torch.unique(mask, dim=0)) > 4


@every_masker
def test_every_patch_is_masked_equally_often(masker_type):
    draws, ratio = 4000, 0.75
    mask = draw(masker_type((2, 4, 4)), ratio, draws)
    # Five standard deviations of a binomial frequency.
    tolerance = 5 * math.sqrt(ratio * (1 - ratio) / draws)
    assert (mask.float().mean(0) - ratio).abs().max() < tolerance


@every_masker
@pytest.mark.parametrize('ratio, what', [(0.02, 'masked'), (1.0, 'visible')])
def test_a_ratio_that_leaves_nothing_is_named(masker_type, ratio, what):
    with pytest.raises(ValueError, match=rf'mask_ratio {ratio} leaves no {what} patch'):
        masker_type((2, 4, 4)).check_ratio(ratio)


@every_masker
@every('ratio', RATIOS)
def test_usual_ratios_are_accepted(masker_type, ratio):
    masker_type((2, 4, 4)).check_ratio(ratio)


@pytest.mark.parametrize('side', [2, 3, 4, 7, 14, 40])
def test_ratios_that_the_message_suggests_are_accepted(side):
    masker = TubeMasker((2, side, side))
    with pytest.raises(ValueError, match='choose a ratio') as error:
        masker.check_ratio(1.0)
    suggested = re.search(r'between (\S+) and (\S+),', str(error.value)).groups()
    for ratio in suggested:
        masker.check_ratio(float(ratio))


# --- each kind ---


def test_a_tube_is_the_same_at_every_time_step():
    mask = draw(TubeMasker((4, 6, 6)), 0.75).unflatten(1, (4, 36))
    assert (mask == mask[:, :1]).all()


def test_cubes_differ_between_time_steps():
    mask = draw(CubeMasker((4, 6, 6)), 0.75).unflatten(1, (4, 36))
    assert not (mask == mask[:, :1]).all()
    assert len(mask[0].sum(1).unique()) > 1  # the count is exact per clip, not per step


@pytest.mark.parametrize('cell', [2, 3])
def test_running_cell_shows_every_place_once_in_cell_squared_steps(cell):
    steps = cell**2
    masker = RunningCellMasker((2 * steps, 6, 6), cell=cell)
    visible = ~draw(masker, 1 - 1 / steps, batch=4).unflatten(1, (2, steps, 36))
    assert (visible.sum(2) == 1).all()


def test_running_cell_shows_one_place_of_each_cell_per_step():
    visible = ~draw(RunningCellMasker((4, 6, 6)), 0.75).reshape(3, 4, 3, 2, 3, 2)
    assert (visible.sum((3, 5)) == 1).all()


def test_running_cell_moves_on_with_every_step():
    visible = ~draw(RunningCellMasker((4, 6, 6)), 0.75).unflatten(1, (4, 36))
    assert not (visible[:, 1:] & visible[:, :-1]).any()


@pytest.mark.parametrize('backward', [False, True])
def test_the_direction_of_running_cells(backward):
    visible = ~draw(RunningCellMasker((4, 2, 2), backward=backward), 0.75).unflatten(1, (4, 4))
    place = visible.int().argmax(2)
    assert ((place.diff(dim=1) % 4) == (3 if backward else 1)).all()


@pytest.mark.parametrize('cell', [0, 5])
def test_a_cell_must_fit_the_grid(cell):
    with pytest.raises(ValueError, match=f'cell(=| is ){cell}'):
        RunningCellMasker((2, 4, 8), cell=cell)


@every_masker
def test_maskers_are_registered(masker_type):
    assert MODELS.get(masker_type.__name__) is masker_type
