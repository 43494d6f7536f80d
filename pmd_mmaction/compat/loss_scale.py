"""Disables loss scaling for dtypes that have the range of float32."""

from __future__ import annotations

import functools
import logging
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper

from pmd_mmaction.compat.repair import Repair

_WIDE = (torch.bfloat16, torch.float32, torch.float64)
_NEVER = 2**31 - 1  # steps, the most that torch counts


def bfloat16_is_scaled() -> bool:
    """Whether mmengine scales the loss in bfloat16, too, doubling the scale forever."""
    return 'bfloat16' not in AmpOptimWrapper.__init__.__code__.co_names


def repair_scaling() -> None:
    """Makes `AmpOptimWrapper` scale the loss only in float16.

    For a dtype with the range of float32, `'dynamic'` and 1.0 mean no scaling: nothing is
    multiplied, divided or waited for. An explicit scale is kept but never grows. The scale in a
    checkpoint is ignored there, and in float16 a checkpoint without one is accepted.
    """
    init, load = AmpOptimWrapper.__init__, AmpOptimWrapper.load_state_dict

    @functools.wraps(init)
    def initialize(
        self: AmpOptimWrapper,
        loss_scale: str | float | dict = 'dynamic',
        dtype: str | torch.dtype | None = None,
        use_fsdp: bool = False,
        **kwargs: Any,
    ) -> None:
        wide = dtype in (*_WIDE, *(str(x).removeprefix('torch.') for x in _WIDE))
        if wide and isinstance(loss_scale, dict):
            print_log(
                f'optim_wrapper.loss_scale={dict(loss_scale)} does not grow: {dtype} has the range '
                'of float32 and needs no scale. Write loss_scale=1.0',
                'current',
                logging.WARNING,
            )
            loss_scale = {**loss_scale, 'growth_interval': _NEVER}
        init(self, loss_scale, dtype, use_fsdp, **kwargs)
        if wide and loss_scale in ('dynamic', 1.0):
            self.loss_scaler = type(self.loss_scaler)(enabled=False)
            self._scale_update_param = None

    @functools.wraps(load)
    def load_state_dict(self: AmpOptimWrapper, state_dict: dict) -> None:
        if self.cast_dtype in _WIDE or not state_dict.get('loss_scaler'):
            state_dict.pop('loss_scaler', None)
        load(self, state_dict)

    AmpOptimWrapper.__init__ = initialize
    AmpOptimWrapper.load_state_dict = load_state_dict


REPAIRS = (
    Repair(
        'bfloat16-scale',
        'the mmengine AmpOptimWrapper scales the loss in bfloat16, without a bound',
        bfloat16_is_scaled,
        repair_scaling,
    ),
)
