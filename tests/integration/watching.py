"""Hooks that watch a small training, or stop it; a config names them by type."""

import itertools

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.hooks.unwrapped_model import plain_model


def snapshot(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of all weights and buffers, persistent or not."""
    named = itertools.chain(module.named_parameters(), module.named_buffers())
    return {name: value.detach().clone() for name, value in named}


@HOOKS.register_module(force=True)
class Watch(Hook):
    """Notes what a run does, once per iteration."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.steps: list[dict] = []
        self.start: dict = {}
        self.students: dict[int, dict] = {}
        self.auxiliary: dict[int, dict | None] = {}

    def before_train_epoch(self, runner) -> None:
        teacher = plain_model(runner).auxiliary_teacher
        self.auxiliary[runner.epoch] = None if teacher is None else snapshot(teacher.network)
        self.start = self.start or snapshot(_student(plain_model(runner)))

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        optimizer = runner.optim_wrapper.optimizer
        self.steps.append(
            dict(
                epoch=runner.epoch,
                phase=plain_model(runner).phase,
                lr=optimizer.param_groups[0]['lr'],
                moments=len(optimizer.state),
            )
        )

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.steps[-1]['losses'] = {key: value.item() for key, value in outputs.items()}

    def after_train_epoch(self, runner) -> None:
        self.students[runner.epoch] = snapshot(_student(plain_model(runner)))


def _student(model: torch.nn.Module) -> torch.nn.Module:
    return torch.nn.ModuleDict(dict(backbone=model.backbone, decoders=model.decoders))


@HOOKS.register_module(force=True)
class StopAfter(Hook):
    """Ends the run, as an interrupt would, after an epoch (from 0) is over."""

    priority = 'LOWEST'

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def after_train_epoch(self, runner) -> None:
        if runner.epoch == self.epoch:
            raise KeyboardInterrupt
