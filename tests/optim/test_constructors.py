"""Few parameter groups: the same steps, and fused ones where a GPU holds the model."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.every import every
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
    same,
    train,
)

PAIRS = [
    (MERGED, UNMERGED, PRETRAINING),
    (MERGED, UNMERGED, SLOW_HEAD),
    (MERGED, UNMERGED, dict(bias_lr_mult=2.0, bias_decay_mult=0.0, flat_decay_mult=0.5)),
    (MERGED, UNMERGED, dict(norm_decay_mult=1.0)),
    (MERGED, UNMERGED, None),
    (BY_LAYER, OF_MMACTION, LAYER_DECAY),
    (BY_LAYER, OF_MMACTION, {**LAYER_DECAY, 'decay_rate': 1.0}),
]


def _settings(network, wrapper):
    """Rate and decay of each parameter by name."""
    names = {p: name for name, p in network.named_parameters()}
    return {
        names[p]: (group['lr'], group['weight_decay'], group['betas'])
        for group in wrapper.optimizer.param_groups
        for p in group['params']
    }


@pytest.mark.parametrize('merged, unmerged, rules', PAIRS)
def test_every_parameter_keeps_its_settings(merged, unmerged, rules):
    assert _settings(*build(merged, rules)) == _settings(*build(unmerged, rules))


@pytest.mark.parametrize('merged, unmerged, rules', PAIRS)
@pytest.mark.parametrize('options', [dict(), dict(foreach=True), dict(fused=True)], ids=str)
def test_steps_are_the_same_to_the_bit(merged, unmerged, rules, options):
    few, many = build(merged, rules, **options), build(unmerged, rules, **options)
    for pair in (few, many):
        train(*pair, steps=5)
    assert same(few[0], many[0])
    assert not same(few[0], build(merged, rules)[0])


def _names(wrapper):
    return {group['group_name']: len(group['params']) for group in wrapper.optimizer.param_groups}


def test_the_groups_have_names_and_know_their_parameters():
    network, wrapper = build(MERGED)
    assert _names(wrapper) == dict(no_decay=10, decay=4)
    names = {p: name for name, p in network.named_parameters()}
    for group in wrapper.optimizer.param_groups:
        assert group['param_names'] == [names[p] for p in group['params']]
        assert not {'lr_mult', 'decay_mult'} & set(group)


def test_the_groups_of_other_rates_have_names_of_their_own():
    assert _names(build(MERGED, SLOW_HEAD)[1]) == dict(no_decay=8, decay=4, decay_2=2)


def test_the_groups_of_layers():
    _, wrapper = build(BY_LAYER, LAYER_DECAY)
    assert _names(wrapper) == {
        'layer_0_no_decay': 2,
        'layer_0_decay': 2,
        'layer_1_no_decay': 3,
        'layer_1_decay': 1,
        'layer_2_no_decay': 3,
        'layer_2_decay': 1,
        'layer_3_decay': 1,
        'layer_3_no_decay': 1,
    }
    assert _names(build(BY_LAYER, {**LAYER_DECAY, 'decay_rate': 1.0})[1]) == dict(
        no_decay=9, decay=5
    )


@pytest.mark.parametrize('merged, unmerged, rules', PAIRS)
def test_the_same_rates_are_logged(merged, unmerged, rules):
    few, many = build(merged, rules)[1].get_lr(), build(unmerged, rules)[1].get_lr()
    assert few.keys() == many.keys()
    assert [rates[0] for rates in few.values()] == [rates[0] for rates in many.values()]


def test_a_wrapped_model_is_unwrapped():
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = Network()

    _, wrapper = build(MERGED, network=Wrapped())
    assert wrapper.optimizer.param_groups[1]['param_names'][0] == 'backbone.patch_embed.weight'


def test_other_optimizers_and_wrappers():
    for kind in ('SGD', 'RMSprop', 'Adagrad'):
        network, wrapper = build(MERGED, type=kind)
        train(network, wrapper)
        assert len(wrapper.optimizer.param_groups) == 2
    _, wrapper = build(MERGED, wrapper=dict(accumulative_counts=3, clip_grad=dict(max_norm=1.0)))
    assert wrapper._accumulative_counts == 3 and wrapper.clip_grad_kwargs == dict(max_norm=1.0)


# --- fused steps ---


def _on_gpu(constructor=MERGED, rules=PRETRAINING, change=None, **options):
    """Whether steps are fused of a model on a GPU."""
    torch.manual_seed(0)
    with FakeTensorMode(), torch.device('cuda'):
        network = Network()
        (change or (lambda network: None))(network)
        _, wrapper = build(constructor, rules, network, **options)
    (fused,) = {group.get('fused') for group in wrapper.optimizer.param_groups}
    return fused


@pytest.mark.parametrize(
    'constructor, rules', [(MERGED, PRETRAINING), (MERGED, None), (BY_LAYER, LAYER_DECAY)]
)
@every('kind', ['AdamW', 'Adam', 'SGD', torch.optim.AdamW])
def test_steps_on_a_gpu_are_fused(constructor, rules, kind):
    assert _on_gpu(constructor, rules, type=kind) is True


@pytest.mark.parametrize(
    'options',
    [
        dict(fused=False),
        dict(foreach=True),
        dict(foreach=False),
        dict(differentiable=True),
        dict(type='Adagrad'),  # has a fused step for the CPU alone
        dict(type='RMSprop'),
    ],
    ids=str,
)
def test_another_choice_is_respected(options):
    assert not _on_gpu(**options)


def _to_host(network):
    network.head = nn.Linear(4, 2, device='cpu')


def _to_complex(network):
    network.head.weight = nn.Parameter(torch.zeros(2, 4, dtype=torch.complex64, device='cuda'))


@pytest.mark.parametrize('change', [_to_host, _to_complex])
def test_a_fused_step_needs_all_parameters_on_the_gpu_and_floating(change):
    assert not _on_gpu(change=change)


def test_what_is_not_trained_may_be_anywhere():
    def freeze(network):
        network.backbone.frozen = nn.Parameter(torch.zeros(4, device='cpu'), requires_grad=False)

    assert _on_gpu(change=freeze) is True


def test_steps_on_the_cpu_are_fused_if_asked_for():
    assert build(MERGED)[1].optimizer.defaults['fused'] is None
    assert build(MERGED, fused=True)[1].optimizer.defaults['fused'] is True
