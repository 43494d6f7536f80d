"""A switch for TF32 in `env_cfg`, which mmengine lacks."""

from __future__ import annotations

import functools
from typing import Any

import torch
from mmengine._strategy import BaseStrategy
from mmengine.runner import Runner

from pmd_mmaction.compat.repair import Repair

ENV_KEYS = ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit')


def switch_is_missing() -> bool:
    """Whether the Runner silently ignores `env_cfg.tf32`."""
    return 'tf32' not in Runner.setup_env.__code__.co_consts


def repair_setup() -> None:
    """Makes the Runner and the strategies of the FlexibleRunner apply `env_cfg.tf32`.

    True: float32 matrix products and convolutions on a GPU round their factors to TF32, which
    keeps the range and 10 bits of the mantissa. False: they do not. Left out: torch's defaults
    (TF32 only in convolutions). Operations that autocast runs in float16 or bfloat16, and the CPU,
    are not affected.
    """
    setup_runner, setup_strategy = Runner.setup_env, BaseStrategy._setup_env

    @functools.wraps(setup_runner)
    def setup_env(self: Runner, env_cfg: dict) -> None:
        unknown = [key for key in env_cfg if key not in (*ENV_KEYS, 'tf32')]
        if unknown:
            raise ValueError(
                f'env_cfg has no setting {unknown[0]!r}; it has {", ".join(ENV_KEYS)} and tf32'
            )
        set_tf32(env_cfg.get('tf32'))
        setup_runner(self, env_cfg)

    @functools.wraps(setup_strategy)
    def _setup_env(self: BaseStrategy, *, tf32: bool | None = None, **kwargs: Any) -> None:
        set_tf32(tf32)
        setup_strategy(self, **kwargs)

    Runner.setup_env = setup_env
    BaseStrategy._setup_env = _setup_env


def set_tf32(value: bool | None) -> None:
    """Turns TF32 on or off for float32 matrix products and convolutions on a GPU.

    Args:
        value: None leaves torch's settings as they are.

    Raises:
        ValueError: for anything other than a bool or None.
    """
    if value is None:
        return
    if not isinstance(value, bool):
        raise ValueError(f'env_cfg.tf32 is {value!r}; it must be True or False')
    # Not set_float32_matmul_precision, which changes products on the CPU as well. Torch's newer
    # names (fp32_precision) make reading the older ones an error, which other libraries do.
    torch.backends.cuda.matmul.allow_tf32 = value
    torch.backends.cudnn.allow_tf32 = value


REPAIRS = (
    Repair(
        'tf32',
        'mmengine has no switch for TF32, and reads over what it does not know in env_cfg',
        switch_is_missing,
        repair_setup,
    ),
)
