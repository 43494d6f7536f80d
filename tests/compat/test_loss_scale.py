"""The scale of the loss in mixed precision, on a stand-in for a GPU."""

import functools

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.registry import OPTIM_WRAPPERS

from pmd_mmaction.compat import loss_scale

WIDE = ['bfloat16', torch.bfloat16, 'float32', torch.float64]


@pytest.fixture
def make(monkeypatch):
    """Builds AmpOptimWrapper as from a config."""
    scaler = functools.partial(torch.amp.GradScaler, 'cpu', growth_interval=2)
    monkeypatch.setattr(amp_optimizer_wrapper, 'GradScaler', scaler)
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)

    def build(**options):
        optimizer = torch.optim.SGD([torch.ones(2, requires_grad=True)], lr=0.1)
        cfg = dict(type='AmpOptimWrapper', optimizer=optimizer, **options)
        return OPTIM_WRAPPERS.build(cfg)

    return build


def _train(wrapper, steps=5):
    (parameter,) = wrapper.optimizer.param_groups[0]['params']
    for _ in range(steps):
        wrapper.update_params(parameter.sum())
    return wrapper.loss_scaler.get_scale()


@pytest.mark.parametrize('dtype', WIDE, ids=str)
@pytest.mark.parametrize('options', [dict(), dict(loss_scale='dynamic'), dict(loss_scale=1.0)])
def test_there_is_none_where_the_range_is_that_of_float32(make, dtype, options):
    wrapper = make(dtype=dtype, **options)
    assert not wrapper.loss_scaler.is_enabled()
    (parameter,) = wrapper.optimizer.param_groups[0]['params']
    assert _train(wrapper) == 1
    assert torch.allclose(parameter, torch.full((2,), 0.5))


@pytest.mark.parametrize('dtype', WIDE, ids=str)
def test_one_given_in_numbers_never_grows(make, dtype, caplog, monkeypatch):
    logger = MMLogger.get_instance('scale')
    monkeypatch.setattr(logger, 'handlers', [caplog.handler])
    monkeypatch.setattr(MMLogger, 'get_current_instance', lambda: logger)
    wrapper = make(dtype=dtype, loss_scale=dict(init_scale=8.0, growth_interval=2))
    assert _train(wrapper) == 8
    assert 'does not grow' in caplog.text and 'Write loss_scale=1.0' in caplog.text
    assert _train(make(dtype=dtype, loss_scale=4.0)) == 4


@pytest.mark.parametrize('dtype', [None, 'float16', torch.float16], ids=str)
def test_float16_keeps_its_search(make, dtype):
    wrapper = make(dtype=dtype)
    assert wrapper.loss_scaler.is_enabled()
    assert _train(wrapper) == 65536 * 4  # two steps, then twice, and again


def test_an_old_scale_is_not_resumed_in_bfloat16(make):
    grown = make(dtype='float16', loss_scale=dict(init_scale=2.0**70))
    _train(grown, 1)
    for options in (dict(), dict(loss_scale=dict(init_scale=8.0))):
        wrapper = make(dtype='bfloat16', **options)
        wrapper.load_state_dict(grown.state_dict())
        assert _train(wrapper) == (8 if options else 1)


def test_a_checkpoint_without_a_scale_is_resumed_in_float16(make):
    wrapper = make(dtype='float16')
    wrapper.load_state_dict(make(dtype='bfloat16').state_dict())
    assert _train(wrapper, 1) == 65536
    again = make(dtype='float16')
    again.load_state_dict(wrapper.state_dict())
    assert again.loss_scaler.state_dict() == wrapper.loss_scaler.state_dict()


def test_it_is_left_alone_where_mmengine_knows_better(monkeypatch):
    def initialize(self, dtype=None):
        self.scaled = dtype != torch.bfloat16

    monkeypatch.setattr(AmpOptimWrapper, '__init__', initialize)
    assert not loss_scale.bfloat16_is_scaled()
