"""What a shipped config says, whether its phases say it or it does itself."""

import copy
import functools

from mmengine.config import Config

from pmd_mmaction.functional import PhaseSchedule
from pmd_mmaction.hooks.curriculum.phase_schedulers import phase_schedulers
from tests.integration import tiny


def config_of(name: str) -> Config:
    """A shipped config that the caller may change; its files are read once in a process.

    Args:
        name: path below ``configs``.
    """
    return copy.deepcopy(_read(name))


@functools.cache
def _read(name: str) -> Config:
    return Config.fromfile(tiny.CONFIGS / name)


def all_hooks(cfg: Config) -> list[dict]:
    """Configs of all hooks."""
    return [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]


def _curriculum(cfg: Config) -> dict | None:
    return next((h for h in all_hooks(cfg) if h['type'] == 'ProgressivePhaseHook'), None)


def epochs_of(cfg: Config) -> int:
    """Epochs of the training."""
    given, hook = cfg.train_cfg.get('max_epochs'), _curriculum(cfg)
    total = hook and PhaseSchedule.of_config(hook['phases']).total_epochs
    assert given is None or total in (None, given)
    return given or total


def schedulers_of(cfg: Config) -> list[dict]:
    """Configs of the learning rate's schedulers."""
    hook = _curriculum(cfg)
    if hook is None or hook.get('schedule') is None:
        return cfg.param_scheduler
    assert cfg.get('param_scheduler') is None
    phases = PhaseSchedule.of_config(hook['phases'])
    return phase_schedulers(phases, hook.get('restart', True), **hook['schedule'])
