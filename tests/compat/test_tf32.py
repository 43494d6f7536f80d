"""The switch of TF32 in the environment of a run."""

import pytest
import torch
from mmengine._strategy import SingleDeviceStrategy
from mmengine.runner import Runner

from pmd_mmaction.compat.tf32 import set_tf32
from tests.every import every
from tests.integration import tiny
from tests.integration.shipped import config_of


def _settings():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.fixture(autouse=True)
def _restored():
    before = _settings()
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.fixture
def setup_env():
    """Sets up the environment of a Runner."""
    runner = Runner.__new__(Runner)
    runner._launcher, runner._distributed = 'none', False
    return runner.setup_env


@pytest.mark.parametrize('value', [True, False])
def test_it_is_set_for_products_and_convolutions(setup_env, value):
    set_tf32(not value)
    setup_env(dict(tf32=value))
    assert _settings() == (value, value)
    set_tf32(not value)
    SingleDeviceStrategy(env_kwargs=dict(tf32=value, launcher='none'))
    assert _settings() == (value, value)


@pytest.mark.parametrize('before', [(True, False), (False, True)])
def test_left_out_it_changes_nothing(setup_env, before):
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
    setup_env({})
    assert _settings() == before


@every('name', tiny.SHIPPED)
def test_it_is_on_in_every_shipped_config(setup_env, name):
    set_tf32(False)
    setup_env(config_of(name).env_cfg)
    assert _settings() == (True, True)


@pytest.mark.parametrize('value', [1, 'high', 'true', 0.0, []], ids=str)
def test_another_value_is_refused(setup_env, value):
    with pytest.raises(ValueError, match=r'env_cfg\.tf32 is .*; it must be True or False'):
        setup_env(dict(tf32=value))


@pytest.mark.parametrize('key', ['TF32', 'allow_tf32', 'tf_32', 'cudnn_benchmrk'])
def test_a_misspelt_setting_is_refused(setup_env, key):
    with pytest.raises(ValueError, match=f"env_cfg has no setting '{key}'; it has .* and tf32"):
        setup_env({key: True})


def test_products_on_the_cpu_stay_as_they_are():
    def precision():
        # not there before torch 2.9
        return getattr(getattr(torch.backends.mkldnn, 'matmul', None), 'fp32_precision', None)

    set_tf32(False)
    before = precision()
    set_tf32(True)
    assert precision() == before


def test_it_may_follow_the_newer_names_of_torch():
    """Which make torch refuse to read the older ones, until these are set again."""
    for backend in (torch.backends.cuda.matmul, getattr(torch.backends.cudnn, 'conv', None)):
        if hasattr(backend, 'fp32_precision'):
            backend.fp32_precision = 'tf32'
    for value in (False, True):
        set_tf32(value)
        assert _settings() == (value, value)
    assert torch.get_float32_matmul_precision() == 'high'
