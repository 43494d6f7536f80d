"""Repairs of known faults in the installed OpenMMLab stack.

This package is the only place that knows about them. Each repair first checks whether its fault is
present and otherwise does nothing, so a fixed upstream release simply retires it.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

from pmd_mmaction.compat import requirements


class Repair(NamedTuple):
    """A fault, the check for it, and its repair."""

    name: str
    fault: str
    present: Callable[[], bool]
    repair: Callable[[], None]


class Status(NamedTuple):
    """What is known about one fault in this environment."""

    name: str
    fault: str
    present: bool
    repaired: bool


_repaired: set[str] = set()


def _repairs() -> tuple[Repair, ...]:
    # Imported late: these modules need the stack, whose absence `requirements` reports better.
    from pmd_mmaction.compat import (
        checkpoint,
        cpu_launch,
        data_loader,
        default_hooks,
        download,
        imports,
        loss_scale,
        multimodal,
        optimizer_state,
        package_bases,
        tf32,
    )

    return (
        Repair(
            'importlib-metadata',
            'mmaction2 imports importlib_metadata without declaring it',
            imports.importlib_metadata_is_missing,
            imports.alias_importlib_metadata,
        ),
        Repair(
            'drn-module',
            'the mmaction2 wheel lacks mmaction/models/localizers/drn, which it imports',
            imports.drn_is_missing,
            imports.stub_drn,
        ),
        Repair(
            'multimodal',
            'mmaction2 imports names that transformers 5 no longer has',
            multimodal.transformers_is_too_new,
            multimodal.leave_multimodal_out,
        ),
        Repair(
            'checkpoint-loading',
            'mmengine cannot read its own checkpoints with torch >= 2.6',
            checkpoint.runner_checkpoints_are_refused,
            checkpoint.register_loader,
        ),
        Repair(
            'checkpoint-download',
            'mmengine unpickles whatever a URL delivers',
            download.urls_run_code,
            download.register_loader,
        ),
        Repair(
            'loader-without-workers',
            'num_workers=0 is refused beside options of workers, such as persistent_workers',
            data_loader.options_of_workers_are_refused,
            data_loader.leave_out_options_of_workers,
        ),
        Repair(
            'cpu-init',
            'mmengine launchers call torch.cuda.set_device and nccl on a machine without a GPU',
            cpu_launch.init_needs_gpu,
            cpu_launch.repair_init,
        ),
        Repair(
            'cpu-ddp',
            'the mmengine Runner gives DistributedDataParallel a GPU id for a model on the CPU',
            cpu_launch.ddp_needs_gpu,
            cpu_launch.repair_ddp,
        ),
        Repair(
            'cpu-strategy',
            'the mmengine DDPStrategy gives a model on the CPU the id of a GPU',
            cpu_launch.strategy_needs_gpu,
            cpu_launch.repair_strategy,
        ),
        Repair(
            'bfloat16-scale',
            'the mmengine AmpOptimWrapper scales the loss in bfloat16, without a bound',
            loss_scale.bfloat16_is_scaled,
            loss_scale.repair_scaling,
        ),
        Repair(
            'optimizer-state',
            'a resumed optimizer counts its steps on the GPU, which waits for each of them',
            optimizer_state.steps_stay_where_they_were_read,
            optimizer_state.repair_loading,
        ),
        Repair(
            'tf32',
            'mmengine has no switch for TF32, and reads over what it does not know in env_cfg',
            tf32.switch_is_missing,
            tf32.repair_setup,
        ),
        Repair(
            'default-hooks',
            'default_hooks=dict(NAME=None) fails for hooks that mmengine does not know itself',
            default_hooks.none_is_refused,
            default_hooks.leave_out_none,
        ),
        Repair(
            'package-bases',
            'mmengine reads bases `package::config` from the packages of a fixed list only',
            package_bases.name_is_refused,
            package_bases.add_name,
        ),
    )


def apply() -> None:
    """Checks the stack and repairs every fault that is present. Calling it again is harmless.

    Raises:
        ImportError: If a library of the stack is missing or of an unsupported version.
    """
    requirements.check()
    for item in _repairs():
        if item.name not in _repaired and item.present():
            item.repair()
            _repaired.add(item.name)


def status() -> list[Status]:
    """Returns every known fault, whether this environment has it, and whether it is repaired."""
    report = []
    for item in _repairs():
        repaired = item.name in _repaired
        report.append(Status(item.name, item.fault, repaired or item.present(), repaired))
    return report
