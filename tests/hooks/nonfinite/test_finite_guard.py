"""The guard on a small network, with every way of making a step."""

import itertools
import math

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from tests.every import every
from tests.hooks.guarded import BAD_GRADIENT, BAD_LOSS, GOOD, Loop, Net, Overflow, SquareRoot, same

OPTIMIZERS = [
    torch.optim.AdamW,
    torch.optim.SGD,
    lambda p, **kw: torch.optim.SGD(p, momentum=0.9, **kw),
    lambda p, **kw: torch.optim.AdamW(p, fused=True, **kw),
    lambda p, **kw: torch.optim.AdamW(p, foreach=True, **kw),
]
CLIPS = [None, dict(max_norm=1.0), dict(type='value', clip_value=1.0)]


@pytest.mark.parametrize('optimizer', OPTIMIZERS)
@every('case', itertools.product(CLIPS, [math.nan, math.inf]))
def test_a_bad_loss_changes_nothing(optimizer, case):
    clip, value = case
    loop = Loop(optimizer=optimizer, clip_grad=clip)
    assert loop.step() == GOOD
    before = loop.state()
    assert loop.step(value) == BAD_LOSS
    assert same(before, loop.state())
    assert loop.step() == GOOD
    assert not same(before, loop.state())


def test_a_guarded_run_is_bit_equal_to_a_free_one():
    guarded, free = Loop(clip_grad=dict(max_norm=1.0)), Loop(clip_grad=dict(max_norm=1.0))
    free.guard.remove()
    for value in (1.0, -2.0, 3.0):
        guarded.step(value)
        free.wrapper.update_params(
            sum(
                sum(v) if isinstance(v, list) else v
                for k, v in free.net(torch.full((1, 2), value), mode='loss').items()
                if 'loss' in k
            )
        )
    assert same(guarded.state(), free.state())


def test_a_loss_that_overflows_is_bad_though_its_gradient_is_finite():
    loop = Loop(Overflow())
    before = loop.state()
    loss = loop.net(torch.ones(1, 2), mode='loss')['loss_a']
    slopes = torch.autograd.grad(loss, list(loop.net.layer.parameters()))
    assert loss.isinf() and all(slope.isfinite().all() for slope in slopes)
    assert loop.step() == BAD_LOSS
    assert same(before, loop.state())


def test_a_bad_gradient_of_a_finite_loss():
    loop = Loop(SquareRoot())
    before = loop.state()
    assert loop.step() == BAD_GRADIENT
    assert same(before, loop.state())


class InfiniteGradient(Net):
    """A finite loss with infinite gradients, positive or negative as ``x`` is."""

    def forward(self, x, mode):
        y = self.layer(x)
        y.register_hook(lambda slope: slope * math.inf)
        return dict(loss=y.sum())


@pytest.mark.parametrize(
    'clip',
    [
        None,
        dict(max_norm=1.0),
        dict(max_norm=1.0, error_if_nonfinite=True),  # the step is skipped, not the run
        dict(type='value', clip_value=1.0),
    ],
    ids=str,
)
@pytest.mark.parametrize('value', [1.0, -1.0])
def test_infinite_gradients_are_seen_before_clipping(clip, value):
    loop = Loop(InfiniteGradient(), clip_grad=clip)
    before = loop.state()
    assert loop.step(value) == BAD_GRADIENT
    assert same(before, loop.state())


@pytest.mark.parametrize('place', range(3))
def test_one_value_among_many_gradients_is_enough(place):
    loop = Loop()
    for bad in (math.nan, math.inf, -math.inf):
        for parameter in loop.net.parameters():
            parameter.grad = torch.ones_like(parameter)
        list(loop.net.parameters())[place].grad.view(-1)[-1] = bad
        loop.wrapper.optimizer.step()
        assert loop.guard._found == (False, True)


@pytest.mark.parametrize('clip', CLIPS, ids=str)
def test_a_norm_that_overflows_is_bad_since_adam_would_square_the_gradients(clip):
    loop = Loop(clip_grad=clip)
    loop.net.layer.weight.data.fill_(1e-10)
    loop.net.layer.bias.data.zero_()
    huge = torch.full((1, 2), 3e19)
    slope = torch.autograd.grad(loop.net(huge, mode='loss')['loss_a'], loop.net.layer.weight)[0]
    assert slope.isfinite().all() and slope.square().isinf().any()
    before = loop.state()
    assert loop.step(3e19) == BAD_GRADIENT
    assert same(before, loop.state())


def test_only_a_finite_norm_is_logged(request):
    MessageHub.get_instance(request.node.name)
    loop = Loop(InfiniteGradient(), clip_grad=dict(max_norm=1.0))
    loop.step()
    assert 'train/grad_norm' not in loop.wrapper.message_hub.log_scalars
    healthy = Loop(clip_grad=dict(max_norm=1.0))
    healthy.step()
    assert healthy.wrapper.message_hub.get_scalar('train/grad_norm').current() > 0


def test_a_step_without_gradients_is_not_judged_by_those_before():
    loop = Loop(InfiniteGradient(), clip_grad=dict(max_norm=1.0))
    assert loop.step() == BAD_GRADIENT
    loop.wrapper.step()  # which clips nothing
    assert loop.guard._found == (False, False)


@pytest.mark.parametrize('clip', [dict(max_norm=1.0), dict(type='value', clip_value=1.0)], ids=str)
def test_without_guard_clipping_is_as_before(clip):
    loop = Loop(clip_grad=clip)
    assert loop.wrapper.clip_func == loop.guard._clip
    loop.guard.remove()
    assert loop.wrapper.clip_func in (nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_)


@pytest.mark.parametrize('clip', [None, dict(max_norm=1.0)], ids=str)
def test_large_gradients_are_not_bad(clip):
    loop = Loop(clip_grad=clip)
    for parameter in loop.net.parameters():
        parameter.grad = torch.full_like(parameter, 1e18)
    loop.wrapper.step()
    assert loop.guard._found == (False, False)


def test_only_mode_loss_is_watched():
    loop = Loop()
    loop.net(torch.full((1, 2), math.nan), mode='tensor')
    assert loop.step() == GOOD


# --- gradient accumulation ---


@pytest.mark.parametrize('bad', [0, 1, 2])
def test_one_bad_batch_spoils_the_accumulated_step_alone(bad):
    loop = Loop(accumulative_counts=3)
    before = loop.state()
    verdicts = [loop.step(math.nan if i == bad else 1.0) for i in range(3)]
    assert [v.finite_loss for v in verdicts] == [i != bad for i in range(3)]
    assert [v.skipped for v in verdicts] == [False, False, True]
    assert not any(v.updated for v in verdicts)
    assert verdicts[-1].reason == 'loss'
    assert same(before, loop.state())
    verdicts = [loop.step() for _ in range(3)]
    assert [v.updated for v in verdicts] == [False, False, True]
    fresh = Loop(accumulative_counts=3)
    for _ in range(3):
        fresh.step()
    assert same(loop.state(), fresh.state())


def test_an_overflow_is_remembered_though_the_accumulated_gradients_are_finite():
    loop = Loop(Overflow(), accumulative_counts=2)
    before = loop.state()
    assert not loop.step(1.0).finite_loss
    last = loop.step(1e-18)
    assert last.finite_loss and last.skipped and not last.bad_batch
    assert loop.net.layer.weight.grad is None
    assert same(before, loop.state())
