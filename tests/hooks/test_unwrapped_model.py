"""The model without its wrapper."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import MMFullyShardedDataParallel
from torch.nn.parallel import DataParallel

from pmd_mmaction.hooks.unwrapped_model import plain_model


def test_the_wrapper_is_taken_off():
    layer = torch.nn.Linear(1, 1)
    assert plain_model(SimpleNamespace(model=layer)) is layer
    assert plain_model(SimpleNamespace(model=DataParallel(layer))) is layer


def test_shards_are_refused():
    # FSDP itself cannot be built without an accelerator.
    model = MMFullyShardedDataParallel.__new__(MMFullyShardedDataParallel)
    with pytest.raises(TypeError, match=r'MMFullySharded\w+ is not supported.*Use DDP'):
        plain_model(SimpleNamespace(model=model))
