"""`default_hooks=dict(NAME=None)`, which mmengine takes for six names only."""

import functools
from types import SimpleNamespace
from typing import Mapping

from mmengine.runner import FlexibleRunner, Runner

from pmd_mmaction.compat.repair import Repair

OF_MMENGINE = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')


def none_is_refused() -> bool:
    """Whether a hook of a base config cannot be left out by None."""
    try:
        Runner.register_default_hooks(
            SimpleNamespace(register_hook=lambda hook: None), dict(pictures=None)
        )
    except AssertionError:
        return True
    return False


def leave_out_none() -> None:
    """Makes both runners leave out every default hook that is None, as their docstring has it."""
    for kind in (Runner, FlexibleRunner):
        kind.register_default_hooks = _without_none(kind.register_default_hooks)


def _without_none(register):
    @functools.wraps(register)
    def register_default_hooks(self, hooks: Mapping | None = None) -> None:
        hooks = hooks or {}
        register(
            self,
            {name: h for name, h in hooks.items() if h is not None or name in OF_MMENGINE},
        )

    return register_default_hooks


REPAIRS = (
    Repair(
        'default-hooks',
        'default_hooks=dict(NAME=None) fails for hooks that mmengine does not know itself',
        none_is_refused,
        leave_out_none,
    ),
)
