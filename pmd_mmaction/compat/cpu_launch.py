"""Distributed runs on a machine without an accelerator, with gloo instead of nccl."""

from __future__ import annotations

import atexit
import functools
import os
import platform
from pathlib import Path
from typing import Any, Callable
from unittest import mock

import torch
from mmengine._strategy import DDPStrategy
from mmengine.device import get_device
from mmengine.dist import utils as dist_utils
from mmengine.model import is_model_wrapper
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import Runner
from torch.nn.parallel import DistributedDataParallel

from pmd_mmaction.compat.repair import Repair

_WRAPPER = 'MMDistributedDataParallel'
_LAUNCHERS = ('_init_dist_pytorch', '_init_dist_slurm', '_init_dist_mpi')
_NO_GPU = ('', '-1', 'NoDevFiles')  # the last is Slurm's, for a job that asked for none
_GIVEN = ('CUDA_VISIBLE_DEVICES', 'SLURM_JOB_GPUS', 'SLURM_STEP_GPUS')


def unseen_gpus() -> str | None:
    """What tells of GPUs that PyTorch does not see; None without such a sign.

    An empty ``CUDA_VISIBLE_DEVICES``, or -1, chooses the CPU.
    """
    if torch.cuda.is_available() or os.environ.get('CUDA_VISIBLE_DEVICES') in _NO_GPU:
        return None
    signs = [f'{name}={os.environ[name]}' for name in _GIVEN if os.environ.get(name)]
    return next(iter([*signs, *map(str, sorted(Path('/dev').glob('nvidia[0-9]*')))]), None)


def _on_cpu() -> bool:
    # Apple's mps counts as CPU here: no collective library drives it.
    return get_device() in ('cpu', 'mps')


def init_needs_gpu() -> bool:
    """Whether mmengine's launchers set a CUDA device and this machine has none."""
    launcher = dist_utils._init_dist_pytorch
    return _on_cpu() and 'set_device' in launcher.__code__.co_names


def _with_gloo(launcher: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(launcher)
    def init(backend: str, *args: Any, **kwargs: Any) -> None:
        if backend == 'nccl' and (sign := unseen_gpus()):
            raise RuntimeError(
                f'PyTorch {torch.__version__} sees no GPU here ({platform.node()}), though '
                f'{sign} tells of one: see nvidia-smi and `python -m pmd_mmaction doctor`, or set '
                'CUDA_VISIBLE_DEVICES= (empty) to train on the CPU'
            )
        with mock.patch.object(torch.cuda, 'set_device', lambda device: None):
            launcher('gloo' if backend == 'nccl' else backend, *args, **kwargs)
        atexit.register(_leave_group)

    return init


def _leave_group() -> None:
    # A process that ends while gloo's threads run now and then ends in SIGABRT.
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def repair_init() -> None:
    """Makes every launcher skip the CUDA device and use gloo where nccl was asked for.

    A node that lost its GPUs is refused: it would train on the CPU, or wait for ranks with nccl.
    """
    for name in _LAUNCHERS:
        setattr(dist_utils, name, _with_gloo(getattr(dist_utils, name)))


def ddp_needs_gpu() -> bool:
    """Whether the Runner hands a local GPU id to the wrapper of a model that is on the CPU."""
    return _on_cpu() and 'LOCAL_RANK' in Runner.wrap_model.__code__.co_consts


def repair_ddp() -> None:
    """Makes the Runner wrap a model on the CPU without device ids."""
    wrap_model = Runner.wrap_model

    @functools.wraps(wrap_model)
    def wrap(self: Runner, model_wrapper_cfg: dict | None, model: torch.nn.Module) -> Any:
        if self.distributed and not is_model_wrapper(model):
            if model_wrapper_cfg is None:
                # What the Runner would choose.
                model_wrapper_cfg = dict(
                    broadcast_buffers=False,
                    find_unused_parameters=self.cfg.get('find_unused_parameters', False),
                )
            model_wrapper_cfg = _without_device_ids(model_wrapper_cfg)
        return wrap_model(self, model_wrapper_cfg, model)

    Runner.wrap_model = wrap


def strategy_needs_gpu() -> bool:
    """Whether the FlexibleRunner's DDPStrategy does the same."""
    return _on_cpu() and 'LOCAL_RANK' in DDPStrategy._wrap_model.__code__.co_consts


def repair_strategy() -> None:
    """Makes DDPStrategy wrap a model on the CPU without device ids."""
    wrap_model = DDPStrategy._wrap_model

    @functools.wraps(wrap_model)
    def wrap(self: DDPStrategy, model: torch.nn.Module) -> Any:
        # What the strategy would choose.
        self.model_wrapper = _without_device_ids(self.model_wrapper or {'broadcast_buffers': False})
        return wrap_model(self, model)

    DDPStrategy._wrap_model = wrap


def _without_device_ids(model_wrapper: dict) -> dict:
    wrapper = MODEL_WRAPPERS.get(model_wrapper.get('type', _WRAPPER))
    if isinstance(wrapper, type) and issubclass(wrapper, DistributedDataParallel):
        return dict(model_wrapper, device_ids=None)
    return model_wrapper


REPAIRS = (
    Repair(
        'cpu-init',
        'mmengine launchers call torch.cuda.set_device and nccl on a machine without a GPU',
        init_needs_gpu,
        repair_init,
    ),
    Repair(
        'cpu-ddp',
        'the mmengine Runner gives DistributedDataParallel a GPU id for a model on the CPU',
        ddp_needs_gpu,
        repair_ddp,
    ),
    Repair(
        'cpu-strategy',
        'the mmengine DDPStrategy gives a model on the CPU the id of a GPU',
        strategy_needs_gpu,
        repair_strategy,
    ),
)
