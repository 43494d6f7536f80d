"""Losses of any size: finite where the true value is, never NaN from finite numbers."""

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pmd_mmaction.dare import DifficultyTable
from pmd_mmaction.functional import (
    difficulty_loss,
    patch_distance,
    region_weights,
    smooth_difficulty,
)
from tests.dare.writing import write

MAX = torch.finfo(torch.float32).max
TINY = 2.0**-149  # the smallest number above 0
losses = st.one_of(
    st.floats(0, MAX, width=32), st.sampled_from([0.0, TINY, 1e-38, 65504.0, 1e30, MAX])
)

quick = settings(deadline=None, max_examples=100)


# --- softmax of the region weights ---


@given(st.lists(losses, min_size=1, max_size=40), st.floats(1e-30, 1e30))
@example([MAX, 0.0], 1e-30)
@example([MAX, MAX], 0.01)
@example([TINY, 0.0], 1e-30)
@quick
def test_weights_are_a_distribution(difficulty, tau):
    weights = region_weights(torch.tensor(difficulty), tau)
    assert weights.isfinite().all() and (weights >= 0).all()
    assert weights.sum().item() == pytest.approx(1, rel=1e-4)


@given(st.lists(losses, min_size=2, max_size=40), st.floats(1e-6, 1e6))
@quick
def test_a_harder_patch_never_weighs_less(difficulty, tau):
    difficulty = torch.tensor(difficulty).sort().values
    assert (region_weights(difficulty, tau).diff() >= 0).all()


@given(st.lists(losses, min_size=1, max_size=20), st.floats(0.01, 10))
@quick
def test_weights_equal_the_softmax_in_double_precision(difficulty, tau):
    values = [float(x) for x in torch.tensor(difficulty)]
    top = max(values)
    terms = [math.exp((x - top) / tau) for x in values]
    expected = [term / math.fsum(terms) for term in terms]
    weights = region_weights(torch.tensor(difficulty), tau).tolist()
    # exact up to the rounding of the differences, which are divided by tau
    assert weights == pytest.approx(expected, rel=1e-4, abs=1e-5)


# --- smoothing ---


@given(losses, losses, st.floats(2.0**-20, 1, width=32))
@example(1e30, 0.0, 0.95)
@example(0.0, 1e-38, 0.95)
@quick
def test_a_smoothed_loss_lies_between_old_and_new(new, last, alpha):
    new, last = min(new, 0.999 * MAX), min(last, 0.999 * MAX)
    smoothed = smooth_difficulty(torch.tensor(new), torch.tensor(last), alpha).item()
    low, high = sorted((new, last))
    assert low * (1 - 1e-6) - TINY <= smoothed <= high * (1 + 1e-6) + TINY


@pytest.mark.parametrize('bad', [math.inf, math.nan])
def test_what_is_not_finite_stays_so_and_does_not_spread(bad):
    """It must reach the guard and the table, which refuse it."""
    loss = torch.tensor([1.0, bad, 2.0])
    smoothed = smooth_difficulty(loss, torch.zeros(3), 0.95)
    assert smoothed.isfinite().tolist() == [True, False, True]
    assert not difficulty_loss(torch.full((1, 3), 1 / 3), smoothed[None]).isfinite()


# --- the difficulty table ---


@given(st.lists(losses, min_size=1, max_size=12), st.sampled_from(['float16', 'float32']))
@example([MAX] * 4, 'float16')
@example([65504.0, 65504.0], 'float16')
@example([TINY] * 4, 'float16')
@quick
def test_difficulty_stays_finite_over_any_history_of_losses(history, dtype):
    table = DifficultyTable.create(None, 1, 1, 2, dtype)
    for loss in history:
        last, _ = table.read([0])
        smoothed = smooth_difficulty(
            torch.tensor([[[min(loss, 0.999 * MAX)]]]), last[..., :1], 0.95
        )
        write(table, [0], torch.tensor([[0]]), smoothed)
        assert table.read([0])[0].isfinite().all()
    table.end_stage()
    weights = region_weights(table.read([0])[1], 0.5)
    assert weights.isfinite().all() and weights.sum().item() == pytest.approx(1, rel=1e-4)


# --- distances ---

features = st.floats(-MAX, MAX, width=32)


@given(st.lists(st.tuples(features, features), min_size=1, max_size=10), st.booleans())
@quick
def test_distances_of_finite_features_are_never_nan(pairs, smooth):
    prediction, target = torch.tensor(pairs).T.reshape(2, 1, 1, -1)
    loss = patch_distance(prediction, target, 'smooth_l1' if smooth else 'l2')
    assert not loss.isnan().any() and (loss >= 0).all()
    assert (patch_distance(target, target, 'smooth_l1' if smooth else 'l2') == 0).all()


@given(
    st.lists(st.tuples(*[st.floats(-65504, 65504, width=16)] * 2), min_size=1, max_size=10),
    st.sampled_from(['l2', 'smooth_l1']),
    st.sampled_from(['mean', 'sum']),
)
@example([(65504.0, -65504.0)], 'l2', 'sum')
@quick
def test_distances_of_half_precision_features_are_exact_in_float32(pairs, distance, reduction):
    """In half precision a difference of 256 would overflow."""
    prediction, target = torch.tensor(pairs).T.reshape(2, 1, 1, -1)
    loss = patch_distance(prediction.half(), target.half(), distance, reduction)
    expected = patch_distance(prediction.float(), target.float(), distance, reduction)
    assert loss.dtype == torch.float32 and loss.isfinite().all()
    assert torch.equal(loss, expected)


@pytest.mark.parametrize('size, finite', [(0.0, True), (1e-38, True), (1e18, True), (1e30, False)])
def test_a_squared_distance_overflows_to_infinity(size, finite):
    loss = patch_distance(torch.full((1, 1, 4), size), torch.zeros(1, 1, 4))
    assert bool(loss.isfinite()) == finite
    assert finite or loss.item() == math.inf
