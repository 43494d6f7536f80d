"""A start from half an encoder is refused; MMEngine alone would only log it."""

import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pmd_mmaction.hooks import CheckBackboneHook


@pytest.fixture
def model():
    backbone = nn.ModuleDict(dict(first=nn.Linear(2, 3), norm=nn.LayerNorm(3)))
    backbone['fc_norm'] = nn.LayerNorm(3)
    return nn.ModuleDict(dict(backbone=backbone, cls_head=nn.Linear(3, 2)))


@pytest.fixture
def look(model, caplog):
    def run(state, resume=False, **outer):
        runner = SimpleNamespace(
            model=model, _resume=resume, _load_from='student.pth', logger=logging.getLogger('test')
        )
        with caplog.at_level(logging.INFO):
            CheckBackboneHook().after_load_checkpoint(runner, outer or dict(state_dict=state))
        return caplog.text

    return run


@pytest.fixture
def state(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def test_a_student_is_accepted_and_what_is_left_over_is_told(look, state):
    student = {k: v for k, v in state.items() if 'fc_norm' not in k and 'cls_head' not in k}
    text = look(student | {'decoders.img.head.weight': torch.ones(1)})
    assert 'loaded from student.pth' in text
    assert 'not used from it: decoders.img' in text


def test_a_bare_state_dict_and_the_prefix_of_ddp(look, state):
    look(None, **state)
    look({f'module.{key}': value for key, value in state.items()})


@pytest.mark.parametrize('key', ['backbone.first.bias', 'backbone.norm.weight'])
def test_a_missing_weight_is_named(look, state, key):
    del state[key]
    with pytest.raises(ValueError, match=f'student.pth does not fill the backbone.*{key}'):
        look(state)


def test_another_shape_is_named(look, state):
    state['backbone.first.weight'] = torch.ones(4, 2)
    with pytest.raises(ValueError, match=r'first.weight: \(4, 2\) in the file, \(3, 2\) in the'):
        look(state)


def test_a_resumed_run_is_left_alone(look):
    assert look({}, resume=True) == ''
