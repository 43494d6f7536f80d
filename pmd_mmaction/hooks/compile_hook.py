"""``torch.compile`` for the maths of an iteration."""

from __future__ import annotations

from inspect import signature

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.arguments import require_keys
from pmd_mmaction.hooks.unwrapped_model import plain_model


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles the recognizer's ``distill`` as one graph: teachers, student and losses.

    mmengine's own ``compile`` compiles the whole ``train_step``, where reading the difficulty
    table breaks the graph and PyTorch fails to trace AdamW with mmengine's parameter groups.
    Each phase has shapes and an auxiliary teacher of its own and is compiled anew, which makes its
    first iterations slow. One graph gives all gradients at its end, so with several ranks
    their all-reduce no longer overlaps the backward pass.

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
                'CompileHook compiles the distill() of a PMDRecognizer, but the model is a '
                f'{type(model).__name__}: take the hook out'
            )
        model.distill = torch.compile(model.distill, **self.options)

    def before_train_epoch(self, runner) -> None:
        """Forgets the graphs of the phase before: PyTorch keeps few of one function."""
        phase = plain_model(runner).phase
        if phase != self._phase:
            torch.compiler.reset()
            self._phase = phase

    def after_train(self, runner) -> None:
        """Gives the plain method back."""
        del plain_model(runner).distill
