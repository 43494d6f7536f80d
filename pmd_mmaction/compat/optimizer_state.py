"""Resuming an optimizer: its state lies where this run needs it, and is used as this run says."""

from __future__ import annotations

import functools
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch.optim import Optimizer

# How a step is computed; what is computed does not depend on it.
_EXECUTION = ('foreach', 'fused', 'capturable', 'differentiable')


def steps_stay_where_they_were_read() -> bool:
    """Whether torch leaves the counter of AdamW's steps on the device that it was read to.

    The Runner reads a checkpoint to the GPU. Without `fused` or `capturable` the counters belong
    on the CPU: torch reads each of them back twice in every step, which waits for the GPU.
    """
    optimizer = torch.optim.AdamW([torch.zeros(1)])
    step = dict(step=torch.zeros((), device='meta'))
    optimizer.load_state_dict({**optimizer.state_dict(), 'state': {0: step}})
    (state,) = optimizer.state.values()
    return state['step'].device.type == 'meta'


def repair_loading() -> None:
    """Makes the optimizer of every wrapper take over a checkpoint by `adapt_state`."""
    init = OptimWrapper.__init__

    @functools.wraps(init)
    def initialize(self: OptimWrapper, optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
        init(self, optimizer, *args, **kwargs)
        if isinstance(optimizer, Optimizer):
            optimizer.register_load_state_dict_pre_hook(adapt_state)

    OptimWrapper.__init__ = initialize


def adapt_state(optimizer: Optimizer, state_dict: dict) -> dict:
    """What an optimizer is to load in the place of a saved state.

    Torch would take over from the checkpoint whether steps are fused, too. An optimizer that was
    built fused and steps otherwise never divides its gradients by the scale of the loss.

    Args:
        optimizer: as it was built for this run.
        state_dict: of an optimizer that may have made its steps in another way; is not changed.

    Returns:
        The state with the execution of this run: counters of steps on the CPU, unless `fused` or
        `capturable`; torch moves them to their parameter then.
    """
    execution = {key: optimizer.defaults[key] for key in _EXECUTION if key in optimizer.defaults}
    state = state_dict['state']
    if not (execution.get('fused') or execution.get('capturable')):
        state = {key: _step_on_cpu(value) for key, value in state.items()}
    groups = [{**group, **execution} for group in state_dict['param_groups']]
    return {**state_dict, 'state': state, 'param_groups': groups}


def _step_on_cpu(state: Any) -> Any:
    if isinstance(state, dict) and isinstance(state.get('step'), torch.Tensor):
        return {**state, 'step': state['step'].cpu()}
    return state
