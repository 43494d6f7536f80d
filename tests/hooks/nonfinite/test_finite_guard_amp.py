"""The guard in mixed precision, with and without a scale of the loss."""

import functools
import math

import pytest
import torch
from mmengine.optim.optimizer import amp_optimizer_wrapper
from torch._subclasses.fake_tensor import FakeTensorMode

from pmd_mmaction.hooks.nonfinite import finite_guard
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


# --- gradients are judged without the scale ---

FUSED = functools.partial(torch.optim.AdamW, fused=True)
HUGE = 2.0**70  # where a scale ends that doubles for ever; scale x norm overflows


def _free_steps(**options):
    """What a float32 run without guard and scale makes of the same three batches."""
    loop = Loop(optimizer=FUSED, **options)
    loop.guard.remove()
    for _ in range(3):
        loop.step()
    return loop.state()


@pytest.mark.parametrize('optimizer', [torch.optim.AdamW, FUSED], ids=['plain', 'fused'])
@pytest.mark.parametrize(
    'clip', [None, dict(max_norm=1.0), dict(type='value', clip_value=1.0)], ids=str
)
@pytest.mark.parametrize('counts', [1, 2])
def test_steps_at_a_huge_scale_are_made(amp, optimizer, clip, counts):
    loop = amp(scale=HUGE, optimizer=optimizer, clip_grad=clip, accumulative_counts=counts)
    verdicts = [loop.step() for _ in range(2 * counts)]
    assert [v.updated for v in verdicts] == [i % counts == counts - 1 for i in range(2 * counts)]
    assert not any(v.skipped for v in verdicts)


@pytest.mark.parametrize('scale', [1.0, 65536.0, HUGE])
@pytest.mark.parametrize('clip', [None, dict(max_norm=0.5)], ids=str)
def test_a_scale_changes_no_bit_of_a_fused_step(amp, scale, clip):
    loop = amp(scale=scale, optimizer=FUSED, clip_grad=clip)
    for _ in range(3):
        assert loop.step() == GOOD
    assert same(loop.state(), _free_steps(clip_grad=clip))


@pytest.mark.parametrize('clip', [None, dict(max_norm=1.0)], ids=str)
@pytest.mark.parametrize('optimizer', [torch.optim.AdamW, FUSED], ids=['plain', 'fused'])
def test_a_skip_that_leaves_the_scale_is_a_bad_step(amp, optimizer, clip):
    """Each gradient is finite, their norm is not: no scale would help."""
    loop = amp(scale=4.0, optimizer=optimizer, clip_grad=clip)
    loop.net.layer.weight.data.fill_(1e-10)
    loop.net.layer.bias.data.zero_()
    before = loop.state()
    assert loop.step(3e19) == BAD_GRADIENT
    assert loop.wrapper.loss_scaler.get_scale() == 4
    assert same(before, loop.state())


@pytest.mark.parametrize('optimizer', [torch.optim.AdamW, FUSED], ids=['plain', 'fused'])
@pytest.mark.parametrize('clip', [None, dict(max_norm=1.0)], ids=str)
def test_a_scale_that_overflows_is_searched(amp, optimizer, clip):
    """The loss is finite; scaled, it is not."""
    loop = amp(scale=2.0**127, optimizer=optimizer, clip_grad=clip)
    before = loop.state()
    assert loop.step(100.0) == BAD_GRADIENT._replace(seeks_scale=True)
    assert loop.wrapper.loss_scaler.get_scale() == 2.0**126
    assert same(before, loop.state())


def test_float16_gradients_at_the_first_scale(amp):
    """Scaled gradients below 65504 whose norm is above it."""
    loop = amp(scale=65536.0, optimizer=FUSED)
    loop.net.half()
    for parameter in loop.net.layer.parameters():
        parameter.grad = torch.full_like(parameter, 60000.0)
    loop.wrapper.loss_scaler.scale(torch.ones(()))  # which makes the scale
    loop.wrapper._inner_count = 1
    loop.wrapper.step()
    assert loop.guard.close_iteration() == GOOD
    moments = loop.wrapper.optimizer.state[loop.net.layer.bias]
    assert moments['exp_avg'].tolist() == pytest.approx([0.1 * 60000 / 65536] * 2, rel=1e-2)


@pytest.mark.parametrize('clip', [None, dict(max_norm=1.0), dict(type='value', clip_value=1.0)])
def test_the_guard_waits_once_per_iteration(amp, clip, monkeypatch):
    loop = amp(optimizer=FUSED, clip_grad=clip)
    loop.step()
    read = []
    for name in ('item', 'tolist', '__bool__', '__float__', '__int__', 'cpu', 'nonzero', 'numpy'):
        original = getattr(torch.Tensor, name)

        def wait(self, *args, original=original, name=name):
            read.append(name)
            return original(self, *args)

        monkeypatch.setattr(torch.Tensor, name, wait)
    assert loop.step() == GOOD
    assert read == ['tolist']


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_the_scale_is_taken_off_on_the_device(dtype):
    """Under FakeTensorMode a value that is read, or a device that is mixed, is an error."""
    with FakeTensorMode():
        parameters = [torch.ones(3, dtype=dtype, device='cuda', requires_grad=True)]
        parameters[0].grad = torch.ones(3, dtype=dtype, device='cuda')
        optimizer = FUSED(parameters)
        optimizer.grad_scale = torch.ones((), device='cuda')
        norm = finite_guard._unscaled_norm(optimizer, parameters)
    assert norm.device.type == 'cuda'
    assert (optimizer.grad_scale is None) == (dtype != torch.float16)
