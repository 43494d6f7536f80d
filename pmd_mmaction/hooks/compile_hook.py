"""``torch.compile`` for the computation of an iteration."""

from __future__ import annotations

from inspect import signature

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.arguments import require_keys
from pmd_mmaction.hooks.unwrapped_model import plain_model


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles the recognizer's ``distill``: teachers, student and losses, without a break.

    mmengine's own ``compile`` compiles the whole ``train_step``, where reading the difficulty
    table breaks the graph and PyTorch fails to trace AdamW with mmengine's parameter groups.
    Each phase has its own shapes and auxiliary teacher and is compiled again, which makes its
    first iterations slow. With several ranks PyTorch splits the graph at DDP's buckets, so that
    their all-reduce still overlaps the backward pass.

    Args:
        **options: arguments of ``torch.compile``, such as ``mode='max-autotune'``; ``fullgraph``
            is True and ``dynamic`` False unless given.

    Raises:
        TypeError: for an option that ``torch.compile`` does not have.
    """

    priority = 'BELOW_NORMAL'  # after ProgressivePhaseHook

    def __init__(self, **options) -> None:
        allowed = sorted(set(signature(torch.compile).parameters) - {'model'})
        require_keys(self, allowed, options=options)
        self.options = dict(fullgraph=True, dynamic=False) | options
        self._phase = None

    def before_train(self, runner) -> None:
        """Wraps the method.

        Raises:
            TypeError: if the model has no ``distill``.
        """
        model = plain_model(runner)
        if not hasattr(model, 'distill'):
            raise TypeError(
                'CompileHook compiles distill(), as PMDRecognizer has it, but the model is a '
                f'{type(model).__name__}: remove the hook'
            )
        model.distill = torch.compile(model.distill, **self.options)

    def before_train_epoch(self, runner) -> None:
        """Drops the graphs of the previous phase: PyTorch keeps only a few per function."""
        phase = plain_model(runner).phase
        if phase != self._phase:
            torch.compiler.reset()
            self._phase = phase

    def after_train(self, runner) -> None:
        """Restores the uncompiled method."""
        del plain_model(runner).distill
