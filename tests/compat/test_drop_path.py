"""Stochastic depth drops the share that it is told, in bfloat16 too."""

import pytest
import torch
from mmcv.cnn.bricks import drop
from mmcv.cnn.bricks.drop import DropPath

from pmd_mmaction.compat import drop_path


def _mmcv(x, probability):
    """mmcv's lines."""
    shape = (x.shape[0],) + (1,) * (x.ndim - 1)
    kept = 1 - probability + torch.rand(shape, dtype=x.dtype)
    return x.div(1 - probability) * kept.floor()


@pytest.mark.parametrize('probability', [0.0091, 0.0273, 0.1])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16, torch.float32])
def test_the_share_is_what_was_asked_for(probability, dtype):
    torch.manual_seed(0)
    found = DropPath(probability).train()(torch.ones(400_000, 1, dtype=dtype))
    assert found.dtype == dtype
    dropped = (found == 0).double().mean().item()
    assert abs(dropped - probability) < 4 * (probability / 400_000) ** 0.5


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_in_float32_it_draws_as_mmcv(dtype):
    x = torch.randn(64, 3, 2, dtype=dtype)
    torch.manual_seed(1)
    expected = _mmcv(x, 0.3)
    torch.manual_seed(1)
    assert torch.equal(DropPath(0.3).train()(x), expected)
    assert DropPath(0.3).eval()(x) is x


def test_a_release_that_draws_otherwise_is_left_alone(monkeypatch):
    assert not drop_path.draws_are_rounded()
    monkeypatch.setattr(drop, 'drop_path', lambda x, p, training: _mmcv(x, p))
    assert drop_path.draws_are_rounded()
