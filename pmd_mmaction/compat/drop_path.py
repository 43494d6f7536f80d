"""Stochastic depth in bfloat16, where mmcv drops too little."""

from __future__ import annotations

from unittest import mock

import torch
from mmcv.cnn.bricks import drop
from torch import Tensor

from pmd_mmaction.compat.repair import Repair


def draws_are_rounded() -> bool:
    """Whether mmcv draws in the dtype of the tokens: on a CPU 0.0079 instead of 0.0091."""
    drawn = []

    def rand(shape: tuple, dtype: torch.dtype = torch.float32, **_: object) -> Tensor:
        drawn.append(dtype)
        return torch.ones(shape, dtype=dtype)

    with mock.patch.object(torch, 'rand', rand):
        drop.drop_path(torch.ones(1, dtype=torch.bfloat16), 0.5, True)
    return drawn == [torch.bfloat16]


def repair_draws() -> None:
    """Makes mmcv's `DropPath` draw in float32 at least; what float32 draws stays the same."""
    drop.drop_path = drop_path


def drop_path(x: Tensor, drop_prob: float = 0.0, training: bool = False) -> Tensor:
    """Drops whole samples and scales the others, as mmcv's function.

    Args:
        x: ``(B, ...)``.
        drop_prob: share of the samples that become 0.
        training: False: nothing is dropped.
    """
    if drop_prob == 0.0 or not training:
        return x
    shape, dtype = (len(x),) + (1,) * (x.ndim - 1), torch.promote_types(x.dtype, torch.float32)
    kept = (1 - drop_prob + torch.rand(shape, dtype=dtype, device=x.device)).floor()
    return x.div(1 - drop_prob) * kept.to(x.dtype)


REPAIRS = (
    Repair(
        'bfloat16-drops',
        'mmcv draws stochastic depth in bfloat16, whose 8 bits drop fewer samples than asked for',
        draws_are_rounded,
        repair_draws,
    ),
)
