"""Checkpoints of other parameter groups, resumed as if nothing had changed."""

import copy
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import CosineAnnealingLR, LinearLR, ReduceOnPlateauLR
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from pmd_mmaction.hooks.curriculum.optimizer_restart import restart_optimizer
from pmd_mmaction.optim.resuming import regroup_schedulers
from tests.optim.networks import (
    BY_LAYER,
    LAYER_DECAY,
    MERGED,
    OF_MMACTION,
    PRETRAINING,
    SLOW_HEAD,
    UNMERGED,
    Network,
    build,
    moments,
    same,
    train,
)

HALF = {**PRETRAINING, 'custom_keys': {'mask_token': dict(decay_mult=0.5)}}
CASES = [
    (UNMERGED, PRETRAINING, MERGED, PRETRAINING),
    (UNMERGED, SLOW_HEAD, MERGED, SLOW_HEAD),
    (UNMERGED, dict(norm_decay_mult=1.0), MERGED, dict(norm_decay_mult=1.0)),
    (UNMERGED, None, MERGED, None),
    (OF_MMACTION, LAYER_DECAY, BY_LAYER, LAYER_DECAY),
    (OF_MMACTION, {**LAYER_DECAY, 'decay_rate': 1.0}, BY_LAYER, {**LAYER_DECAY, 'decay_rate': 1.0}),
    (MERGED, PRETRAINING, MERGED, PRETRAINING),
    (BY_LAYER, LAYER_DECAY, BY_LAYER, LAYER_DECAY),
    # another config: the checkpoint's settings win, as they do in torch
    (UNMERGED, PRETRAINING, MERGED, HALF),
    (UNMERGED, HALF, MERGED, PRETRAINING),
    (UNMERGED, PRETRAINING, MERGED, SLOW_HEAD),
    (MERGED, SLOW_HEAD, MERGED, PRETRAINING),
    (MERGED, PRETRAINING, MERGED, SLOW_HEAD),
    (OF_MMACTION, LAYER_DECAY, BY_LAYER, {**LAYER_DECAY, 'decay_rate': 0.9}),
]


def _schedulers(wrapper):
    return [
        LinearLR(wrapper, start_factor=0.1, begin=0, end=4, by_epoch=False),
        CosineAnnealingLR(wrapper, eta_min_ratio=0.1, begin=4, end=20, by_epoch=False),
    ]


def _run(network, wrapper, schedulers, seed):
    for step in range(6):
        train(network, wrapper, 1, 10 * seed + step)
        for scheduler in schedulers:
            scheduler.step()


def _checkpoint(network, wrapper, schedulers):
    return copy.deepcopy(
        dict(
            state_dict=network.state_dict(),
            optimizer=wrapper.state_dict(),
            param_schedulers=[scheduler.state_dict() for scheduler in schedulers],
        )
    )


def _resume(checkpoint, network, wrapper, schedulers):
    """What Runner.resume and SafeCheckpointHook do."""
    regroup_schedulers(checkpoint, SimpleNamespace(optim_wrapper=wrapper))
    network.load_state_dict(checkpoint['state_dict'])
    wrapper.load_state_dict(checkpoint['optimizer'])
    for scheduler, state in zip(schedulers, checkpoint['param_schedulers']):
        scheduler.load_state_dict(state)


@pytest.mark.parametrize('then, rules_then, now, rules_now', CASES)
@pytest.mark.parametrize('options', [dict(), dict(fused=True)], ids=str)
def test_a_resumed_run_is_the_one_that_was_not_stopped(then, rules_then, now, rules_now, options):
    old = build(then, rules_then, **options)
    old = *old, _schedulers(old[1])
    _run(*old, seed=0)
    checkpoint = _checkpoint(*old)
    _run(*old, seed=1)

    new = build(now, rules_now, **options)
    new = *new, _schedulers(new[1])
    _resume(checkpoint, *new)
    _run(*new, seed=1)
    assert same(old[0], new[0])
    a, b = moments(*old[:2]), moments(*new[:2])
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name][key], b[name][key]) for name in a for key in a[name])
    assert new[1].get_lr()['lr'][0] == old[1].get_lr()['lr'][0]
    if 'base_lr' in old[1].get_lr():
        assert new[1].get_lr()['base_lr'] == old[1].get_lr()['base_lr']


def test_many_groups_become_few():
    _, old = build(UNMERGED)
    _, new = build(MERGED)
    new.load_state_dict(old.state_dict())
    groups = new.optimizer.param_groups
    assert len(old.optimizer.param_groups) == 14
    assert {g['group_name']: len(g['params']) for g in groups} == dict(no_decay=10, decay=4)


@pytest.mark.parametrize('then', [dict(), dict(fused=True), dict(foreach=True)], ids=str)
@pytest.mark.parametrize('now', [dict(), dict(fused=True), dict(foreach=True)], ids=str)
def test_how_steps_are_made_is_up_to_the_present_run(then, now):
    old, new = build(UNMERGED, **then), build(MERGED, **now)
    train(*old)
    new[1].load_state_dict(copy.deepcopy(old[1].state_dict()))
    for group in new[1].optimizer.param_groups:
        assert (group['fused'], group['foreach']) == (now.get('fused'), now.get('foreach'))
    train(*new)
    assert {float(state['step']) for state in new[1].optimizer.state.values()} == {6.0}


@pytest.mark.parametrize('way, place', [({}, 'cpu'), ({'fused': True}, 'cuda')], ids=str)
def test_counters_of_steps_lie_where_a_step_reads_them(way, place):
    old = build(UNMERGED)
    train(*old)
    state = old[1].state_dict()
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device('cuda'):
        _, new = build(MERGED, network=Network(), foreach=None if way else True, **way)
        for values in state['state'].values():  # as Runner reads a checkpoint
            values.update({key: value.to('cuda') for key, value in values.items()})
        new.load_state_dict(state)
    steps = {values['step'].device.type for values in new.optimizer.state.values()}
    assert steps == {place} and len(new.optimizer.state) == 14
    assert {v['exp_avg'].device.type for v in new.optimizer.state.values()} == {'cuda'}


def test_a_phase_restarts_after_a_resume():
    old = build(UNMERGED)
    old = *old, _schedulers(old[1])
    _run(*old, seed=0)
    new = build(MERGED)
    new = *new, _schedulers(new[1])
    _resume(_checkpoint(*old), *new)
    for _, wrapper, _ in (old, new):
        restart_optimizer(wrapper)
        assert not wrapper.optimizer.state
        assert {group['lr'] for group in wrapper.param_groups} == {0.1}
    for pair in (old, new):
        train(*pair[:2])
    assert same(old[0], new[0])


def test_what_a_scheduler_keeps_for_each_group_is_regrouped():
    wrappers = [build(kind, SLOW_HEAD)[1] for kind in (UNMERGED, MERGED)]
    plateau = [ReduceOnPlateauLR(w, 'loss', min_value=1e-3) for w in wrappers]
    linear = [LinearLR(w, start_factor=0.1) for w in wrappers]
    checkpoint = dict(
        optimizer=wrappers[0].state_dict(),
        param_schedulers=[plateau[0].state_dict(), linear[0].state_dict()],
    )
    regroup_schedulers(checkpoint, SimpleNamespace(optim_wrapper=wrappers[1]))
    for state, fresh in zip(checkpoint['param_schedulers'], (plateau[1], linear[1])):
        for key in ('base_values', '_last_value', 'min_values'):
            assert state.get(key) == fresh.state_dict().get(key), key


def test_schedulers_of_another_constructor_are_left_alone():
    _, wrapper = build(UNMERGED)
    checkpoint = dict(
        optimizer=wrapper.state_dict(), param_schedulers=[LinearLR(wrapper).state_dict()]
    )
    before = copy.deepcopy(checkpoint['param_schedulers'])
    regroup_schedulers(checkpoint, SimpleNamespace(optim_wrapper=wrapper))
    assert checkpoint['param_schedulers'] == before
    regroup_schedulers(dict(param_schedulers=[]), SimpleNamespace(optim_wrapper=wrapper))


def _of(change):
    network = Network()
    change(network)
    return network


@pytest.mark.parametrize('then', [UNMERGED, MERGED])
def test_a_state_of_other_parameters_is_refused(then):
    def wider(network):
        network.extra = nn.Linear(2, 2)

    _, old = build(then, network=_of(wider))
    _, new = build(MERGED)
    what = 'it has 16 parameters, this run trains 14' if then == UNMERGED else 'extra.bias is'
    with pytest.raises(ValueError, match=f'{what}.*Resume with the config of the checkpoint'):
        new.load_state_dict(old.state_dict())
