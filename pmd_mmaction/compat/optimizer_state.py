"""Resuming an optimizer with the devices and the kind of step of the current run."""

from __future__ import annotations

import functools
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch.optim import Optimizer

from pmd_mmaction.compat.repair import Repair

# These choose how a step is computed, not what.
_EXECUTION = ('foreach', 'fused', 'capturable', 'differentiable')


def steps_stay_where_they_were_read() -> bool:
    """Whether torch leaves AdamW's step counters on the device they were loaded to.

    The Runner loads a checkpoint to the GPU. Without `fused` or `capturable` the counters belong
    on the CPU: otherwise torch reads each of them back twice per step, waiting for the GPU.
    """
    # Not by an optimizer, whose making imports torch._dynamo: a second at each start of a tool.
    place = getattr(Optimizer, '_process_value_according_to_param_policy', None)
    step, groups = torch.zeros((), device='meta'), [dict(params=[0])]
    return place is None or place(torch.zeros(1), step, 0, groups, 'step').device.type == 'meta'


def repair_loading() -> None:
    """Makes the optimizer of every wrapper load checkpoints through `adapt_state`."""
    init = OptimWrapper.__init__

    @functools.wraps(init)
    def initialize(self: OptimWrapper, optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
        init(self, optimizer, *args, **kwargs)
        if isinstance(optimizer, Optimizer):
            optimizer.register_load_state_dict_pre_hook(adapt_state)

    OptimWrapper.__init__ = initialize


def adapt_state(optimizer: Optimizer, state_dict: dict) -> dict:
    """Adapts a saved optimizer state to the current run.

    Torch would also restore from the checkpoint whether steps are fused. An optimizer that was
    built fused but steps otherwise never divides its gradients by the loss scale.

    Args:
        optimizer: the optimizer of this run.
        state_dict: state of an optimizer that may have stepped in another way; not modified.

    Returns:
        The state with this run's kind of step: step counters are on the CPU, unless `fused` or
        `capturable`, for which torch moves them to their parameter.
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


REPAIRS = (
    Repair(
        'optimizer-state',
        'a resumed optimizer counts its steps on the GPU, which waits for each of them',
        steps_stay_where_they_were_read,
        repair_loading,
    ),
)
