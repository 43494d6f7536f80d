"""Which smoothing factors a float16 table can carry."""

from contextlib import nullcontext

import pytest
import torch

from pmd_mmaction.dare import DifficultyTable, check_precision
from tests.dare.writing import write


@pytest.mark.parametrize(
    ('dtype', 'alpha', 'fits'),
    [
        ('float16', 0.95, True),
        ('float16', 1.0, True),
        ('float16', 0.1, True),
        ('float16', 0.099, False),
        ('float32', 0.001, True),
        ('float32', 0.0, False),
        ('float16', 1.01, False),
    ],
)
def test_precision(dtype, alpha, fits):
    with nullcontext() if fits else pytest.raises(ValueError, match='alpha'):
        check_precision(dtype, alpha)


@pytest.mark.parametrize(('alpha', 'stalls'), [(0.95, False), (0.1, False), (0.01, True)])
def test_the_average_stalls_only_where_precision_is_refused(alpha, stalls):
    table = DifficultyTable.create(None, 1, 1, 1)
    masked = torch.tensor([[0]])
    write(table, [0], masked, torch.tensor([[[1.0]]]))
    for _ in range(1000):
        write(table, [0], masked, alpha * 1.02 + (1 - alpha) * table.read([0])[0])
    assert (abs(table.current.item() - 1.02) > 0.005) == stalls
