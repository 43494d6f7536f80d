import pytest
import torch


@pytest.fixture(autouse=True)
def _reproducible(mmaction_scope):
    torch.manual_seed(0)
