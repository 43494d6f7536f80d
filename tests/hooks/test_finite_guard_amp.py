"""The guard in mixed precision, with and without a scale of the loss."""

import functools
import math

import pytest
import torch
from mmengine.optim.optimizer import amp_optimizer_wrapper

from tests.hooks.guarded import BAD_GRADIENT, BAD_LOSS, GOOD, Loop, Overflow, SquareRoot, same


@pytest.fixture
def amp(monkeypatch):
    """AmpOptimWrapper on the CPU with a scaler for it."""
    scaler = functools.partial(torch.amp.GradScaler, 'cpu')
    monkeypatch.setattr(amp_optimizer_wrapper, 'GradScaler', scaler)
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)

    def make(net=None, scale=4.0, **options):
        options = dict(loss_scale=dict(init_scale=scale), dtype='bfloat16') | options
        return Loop(net, **options)

    return make


@pytest.mark.parametrize('clip', [None, dict(max_norm=1.0)])
@pytest.mark.parametrize(
    'optimizer', [torch.optim.AdamW, lambda p, **kw: torch.optim.AdamW(p, fused=True, **kw)]
)
def test_a_bad_loss_under_a_scaler(amp, optimizer, clip):
    loop = amp(optimizer=optimizer, clip_grad=clip)
    assert loop.step() == GOOD
    before = loop.state()
    assert loop.step(math.nan) == BAD_LOSS
    assert same(before, loop.state())
    assert loop.wrapper.loss_scaler.get_scale() == 2  # the scaler saw it, too
    assert loop.step() == GOOD


def test_a_loss_that_overflows_under_a_scaler_that_sees_finite_gradients(amp):
    loop = amp(Overflow(), scale=1.0)
    before = loop.state()
    assert loop.step() == BAD_LOSS
    assert same(before, loop.state())
    assert loop.wrapper.loss_scaler.get_scale() == 1


def test_the_search_for_a_scale_is_told_from_a_bad_gradient(amp):
    loop = amp(SquareRoot(), scale=2.0)
    assert loop.step() == BAD_GRADIENT._replace(seeks_scale=True)  # 2 -> 1
    assert loop.step() == BAD_GRADIENT  # 1 -> 0.5: no scale helps


def test_a_fixed_scale_is_no_search(amp):
    loop = amp(SquareRoot(), loss_scale=8.0)
    assert loop.step() == BAD_GRADIENT
