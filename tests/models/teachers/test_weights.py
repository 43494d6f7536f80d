"""Strict loading of weights."""

import itertools

import pytest
import torch
from torch import nn

from pmd_mmaction.models.teachers.weights import load_strictly, read_state_dict


@pytest.fixture
def network():
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def weights(network):
    return {key: torch.randn_like(value) for key, value in network.state_dict().items()}


# --- load_strictly ---


def test_fitting_weights_are_loaded(network):
    state = weights(network)
    load_strictly(network, state, 'a.pth')
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def test_missing_weights_are_named(network):
    state = weights(network)
    del state['1.bias']
    with pytest.raises(ValueError, match=r"a\.pth does not fit Sequential: missing \['1\.bias'\]"):
        load_strictly(network, state, 'a.pth')


def test_unexpected_weights_are_named(network):
    state = dict(weights(network), extra=torch.zeros(1))
    with pytest.raises(ValueError, match=r"unexpected \['extra'\]"):
        load_strictly(network, state, 'a.pth')


def test_wrong_shapes_are_named(network):
    state = dict(weights(network), **{'0.bias': torch.zeros(4)})
    with pytest.raises(ValueError, match=r'0\.bias: \(4,\) in the file, \(3,\) in the model'):
        load_strictly(network, state, 'a.pth')


def test_nothing_is_loaded_if_something_is_wrong(network):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ValueError):
        load_strictly(network, dict(weights(network), extra=torch.zeros(1)), 'a.pth')
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_optional_and_ignored_prefixes(network):
    state = dict(weights(network), **{'head.weight': torch.zeros(1)})
    del state['1.bias'], state['1.weight']
    load_strictly(network, state, 'a.pth', optional=('1.',), ignored=('head.',))
    assert torch.equal(network[0].weight, state['0.weight'])


# --- read_state_dict ---


WRAPPERS = ('state_dict', 'model', 'module')


@pytest.mark.parametrize(
    'wraps', [w for n in range(4) for w in itertools.permutations(WRAPPERS, n)], ids=str
)
def test_the_usual_wrappers_are_opened_in_any_order(network, tmp_path, wraps):
    state = weights(network)
    content = state
    for wrap in wraps:
        content = {wrap: content, 'epoch': 3}
    torch.save(content, tmp_path / 'a.pth')
    read = read_state_dict(str(tmp_path / 'a.pth'))
    assert set(read) == set(state)
    assert all(torch.equal(read[key], state[key]) for key in state)


def test_a_prefix_selects_and_is_stripped(tmp_path):
    torch.save({'backbone.a': torch.ones(1), 'neck.b': torch.ones(1)}, tmp_path / 'a.pth')
    assert set(read_state_dict(str(tmp_path / 'a.pth'), 'backbone.')) == {'a'}


def test_a_prefix_that_no_key_has_changes_nothing(tmp_path):
    torch.save({'a': torch.ones(1)}, tmp_path / 'a.pth')
    assert set(read_state_dict(str(tmp_path / 'a.pth'), 'backbone.')) == {'a'}


def test_safetensors_are_read(tmp_path):
    from safetensors.torch import save_file

    save_file({'a': torch.ones(2)}, tmp_path / 'a.safetensors')
    assert read_state_dict(str(tmp_path / 'a.safetensors'))['a'].tolist() == [1, 1]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.pth.*model_zoo.md'):
        read_state_dict(str(tmp_path / 'nowhere.pth'))


def test_a_file_without_weights_is_refused(tmp_path):
    torch.save({'epoch': 3, 'student': {'a': torch.ones(1)}}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r"holds no weights.*\['epoch', 'student'\].*state_dict"):
        read_state_dict(str(tmp_path / 'a.pth'))
