"""Where a resumed optimizer keeps its state, and how it makes its steps."""

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch._subclasses.fake_tensor import FakeTensorMode

from pmd_mmaction.compat import optimizer_state


def _saved(kind=torch.optim.AdamW, **options):
    """State of an optimizer after two steps."""
    parameter = torch.ones(3, requires_grad=True)
    optimizer = kind([parameter], lr=0.1, **options)
    for _ in range(2):
        parameter.grad = torch.ones(3)
        optimizer.step()
    return optimizer.state_dict()


def _resumed(state, device='cpu', kind=torch.optim.AdamW, **options):
    """The state of the one parameter after loading, all of it read to a device as by Runner."""
    state = {
        **state,
        'state': {
            key: {name: torch.as_tensor(x).to(device) for name, x in value.items()}
            for key, value in state['state'].items()
        },
    }
    parameter = torch.ones(3, device=device, requires_grad=True)
    wrapper = OptimWrapper(kind([parameter], lr=0.1, **options))
    wrapper.load_state_dict(state)
    return wrapper.optimizer, wrapper.optimizer.state[parameter]


@pytest.mark.parametrize('saved', [dict(), dict(foreach=True), dict(fused=True)], ids=str)
@pytest.mark.parametrize(
    'options, place',
    [
        (dict(), 'cpu'),
        (dict(foreach=True), 'cpu'),
        (dict(fused=False), 'cpu'),
        (dict(fused=True), 'cuda'),
        (dict(capturable=True), 'cuda'),
    ],
    ids=str,
)
def test_the_counter_of_steps_lies_where_a_step_reads_it(saved, options, place):
    state = _saved(**saved)
    with FakeTensorMode(allow_non_fake_inputs=True):
        optimizer, found = _resumed(state, 'cuda', **options)
    assert found['step'].device.type == place
    assert found['exp_avg'].device.type == found['exp_avg_sq'].device.type == 'cuda'
    for group in optimizer.param_groups:
        assert [group[key] for key in options] == list(options.values())


@pytest.mark.parametrize('kind', [torch.optim.AdamW, torch.optim.Adam, torch.optim.NAdam])
def test_the_number_of_steps_is_kept(kind):
    state = _saved(kind)
    before = float(state['state'][0]['step'])
    _, found = _resumed(state, kind=kind)
    assert found['step'] == before == 2


def test_an_optimizer_without_such_a_counter_is_resumed():
    state = _saved(torch.optim.SGD, momentum=0.9)
    _, found = _resumed(state, kind=torch.optim.SGD, momentum=0.9)
    assert found.keys() == {'momentum_buffer'}


@pytest.mark.parametrize('now', [dict(fused=True), dict(foreach=True), dict()], ids=str)
@pytest.mark.parametrize('then', [dict(fused=True), dict(foreach=True), dict()], ids=str)
def test_steps_are_made_as_this_run_says(then, now):
    state = _saved(**then)
    optimizer, _ = _resumed(state, **now)
    (group,) = optimizer.param_groups
    assert (group['fused'], group['foreach']) == (now.get('fused'), now.get('foreach'))
    parameter = group['params'][0]
    parameter.grad = torch.ones(3)
    optimizer.step()
    assert optimizer.state[parameter]['step'] == 3


def test_the_checkpoint_itself_is_not_changed():
    state = _saved()
    groups = [dict(group) for group in state['param_groups']]
    optimizer = torch.optim.AdamW([torch.ones(3)], fused=True)
    optimizer_state.adapt_state(optimizer, state)
    assert state['param_groups'] == groups


def test_torch_alone_leaves_the_counter_on_the_gpu():
    assert optimizer_state.steps_stay_where_they_were_read()
