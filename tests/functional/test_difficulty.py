"""DARE against loops in double precision."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from pmd_mmaction.functional import (
    difficulty_loss,
    masked_weights,
    region_weights,
    smooth_difficulty,
    uniform_weights,
)
from tests.every import every


def rand(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(*shape, generator=generator, dtype=torch.float64)


def loop_weights(difficulty, tau):
    """Softmax of one video, term by term."""
    total = math.fsum(math.exp(float(x) / tau) for x in difficulty)
    return [math.exp(float(x) / tau) / total for x in difficulty]


# --- smoothing ---


def test_smoothing_follows_the_epochs_in_which_a_patch_was_masked():
    # A patch that stays visible keeps the value of the epoch i' in which it was last masked.
    alpha, patches, losses = 0.95, 4, rand(6, 4)
    masked = [[0, 1], [1, 2], [0, 2], [1, 2], [0, 1], [0, 2]]
    state = torch.zeros(patches, dtype=torch.float64)
    expected = [0.0] * patches
    for epoch, index in enumerate(masked):
        for p in index:
            expected[p] = alpha * float(losses[epoch, p]) + (1 - alpha) * expected[p]
        state[index] = smooth_difficulty(losses[epoch, index], state[index], alpha)
        assert state.tolist() == pytest.approx(expected, rel=1e-12)
    assert state[3] == 0  # never masked


def test_only_the_new_loss_carries_gradient():
    loss, last = rand(2, 3).requires_grad_(), rand(2, 3, seed=1).requires_grad_()
    smooth_difficulty(loss, last, 0.95).sum().backward()
    assert torch.equal(loss.grad, torch.full_like(loss, 0.95))
    assert last.grad is None


def test_smoothing_passes_gradcheck():
    last = rand(2, 3, seed=1)
    assert gradcheck(lambda x: smooth_difficulty(x, last, 0.7), rand(2, 3).requires_grad_())


def test_alpha_one_is_no_smoothing():
    loss = rand(2, 3)
    assert torch.equal(smooth_difficulty(loss, rand(2, 3, seed=1), 1.0), loss)


# --- weights ---


def test_region_weights_equal_the_loop():
    difficulty = rand(2, 3, 7)
    difficulty[..., 2] = 0  # never masked: counts with exp(0)
    weights = region_weights(difficulty, 0.5)
    for b in range(2):
        for k in range(3):
            expected = loop_weights(difficulty[b, k], 0.5)
            assert weights[b, k].tolist() == pytest.approx(expected, rel=1e-5)


def test_harder_patches_weigh_more():
    weights = region_weights(torch.tensor([0.0, 0.5, 1.0, 2.0]), 0.5)
    assert (weights.diff() > 0).all()
    assert (weights[3] / weights[2]).item() == pytest.approx(math.exp(2), rel=1e-5)


@given(
    st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=30),
    st.floats(0.01, 10),
)
@settings(deadline=None, max_examples=60)
def test_weights_sum_to_one_for_losses_of_any_size(losses, tau):
    weights = region_weights(torch.tensor(losses), tau)
    assert torch.isfinite(weights).all() and (weights >= 0).all()
    assert weights.sum().item() == pytest.approx(1, rel=1e-4)


def test_weights_carry_no_gradient():
    assert not region_weights(rand(2, 3).requires_grad_(), 0.5).requires_grad


def test_half_precision_history_is_weighted_in_float32():
    difficulty = rand(1, 5).half()
    weights = region_weights(difficulty, 0.5)
    assert weights.dtype == torch.float32
    assert weights[0].tolist() == pytest.approx(loop_weights(difficulty[0], 0.5), rel=1e-5)


def test_first_stage_weights_are_one_over_the_masked_patches():
    assert torch.equal(uniform_weights(rand(2, 4), 5), torch.full((2, 4), 0.2))


@pytest.mark.parametrize('scale', ['balanced', 'paper'])
def test_weights_of_the_masked_patches_equal_the_loop(scale):
    difficulty, tau = rand(2, 9), 0.5
    difficulty[:, 4] = 0  # never masked before, but now
    masked = torch.tensor([[1, 4, 7, 8], [0, 2, 4, 5]])
    weights = masked_weights(difficulty, masked, tau, scale)
    for b in range(2):
        every = loop_weights(difficulty[b], tau)
        share = math.fsum(every[p] for p in masked[b]) if scale == 'balanced' else 1
        expected = [every[p] / share for p in masked[b]]
        assert weights[b].tolist() == pytest.approx(expected, rel=1e-5)


def test_scales_keep_the_ratios_of_the_weights():
    difficulty, masked = rand(3, 20), torch.rand(3, 20).argsort(1)[:, :7]
    ratio = masked_weights(difficulty, masked, 0.5) / masked_weights(
        difficulty, masked, 0.5, 'paper'
    )
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
    assert (ratio > 1).all()


def test_one_visible_patch_of_huge_difficulty_leaves_the_others_their_weights():
    """Its exponential is all of the sum over N; the masked ones' is 0 beside it."""
    difficulty = torch.tensor([[1e4, 1.0, 1.5, 0.0]])
    weights = masked_weights(difficulty, torch.tensor([[1, 2, 3]]), 0.5)
    assert weights[0].tolist() == pytest.approx(loop_weights([1.0, 1.5, 0.0], 0.5), rel=1e-5)


# --- loss ---


@pytest.mark.parametrize('scale', ['balanced', 'paper'])
def test_difficulty_loss_and_its_gradient_equal_the_loop(scale):
    clips, masked = 2, 3
    weights, smoothed = rand(clips, masked), rand(clips, masked, seed=1).requires_grad_()
    loss = difficulty_loss(weights, smoothed, scale)
    (slope,) = torch.autograd.grad(loss, smoothed)
    # By the letter the sum is divided by N_M; balanced multiplies that by N_M.
    share = 1 / masked if scale == 'paper' else 1 / masked * masked
    expected = 0.0
    for b in range(clips):
        for p in range(masked):
            term = share * float(weights[b, p]) / clips
            expected += term * smoothed[b, p].item()
            assert slope[b, p].item() == pytest.approx(term)
    assert loss.item() == pytest.approx(expected)


def test_balanced_uniform_weights_give_the_plain_mean():
    smoothed = rand(2, 6)
    loss = difficulty_loss(uniform_weights(smoothed, 6).double(), smoothed)
    assert loss.item() == pytest.approx(smoothed.mean().item(), rel=1e-6)


@pytest.mark.parametrize('difficulty', [0.0, 0.7, 1e4])
@every('ratio', [0.75, 0.8, 0.85, 0.9])
def test_balanced_uniform_difficulty_gives_the_plain_mean_in_every_stage(ratio, difficulty):
    patches, masked = 1568, 8 * int(ratio * 196)
    index = torch.rand(2, patches).argsort(1)[:, :masked]
    smoothed = rand(2, masked)
    first = difficulty_loss(uniform_weights(smoothed, masked), smoothed)
    later = difficulty_loss(
        masked_weights(torch.full((2, patches), difficulty), index, 0.5), smoothed
    )
    assert first.item() == pytest.approx(smoothed.mean().item(), rel=1e-6)
    assert later.item() == pytest.approx(smoothed.mean().item(), rel=1e-6)


def test_difficulty_loss_passes_gradcheck_through_the_smoothing():
    weights, last = rand(2, 3), rand(2, 3, seed=1)
    assert gradcheck(
        lambda x: difficulty_loss(weights, smooth_difficulty(x, last, 0.95), 'paper'),
        rand(2, 3, seed=2).requires_grad_(),
    )


def test_unknown_scale_is_named():
    with pytest.raises(ValueError, match="difficulty_scale is 'big'"):
        difficulty_loss(rand(1, 1), rand(1, 1), 'big')
    with pytest.raises(ValueError, match="difficulty_scale is 'big'"):
        masked_weights(rand(1, 1), torch.zeros(1, 1, dtype=torch.int64), 0.5, 'big')
