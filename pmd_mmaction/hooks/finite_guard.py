"""No optimiser step from losses or gradients that are not finite."""

from typing import NamedTuple

import torch
from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper
from torch import Tensor, nn


class Verdict(NamedTuple):
    """What became of an iteration, the same on all ranks.

    Attributes:
        finite_loss: whether the losses of this iteration were finite on every rank.
        updated: whether the optimiser made a step.
        skipped: whether a step was due and was not made.
        reason: ``'loss'`` or ``'gradient'`` if skipped, else None. With gradient accumulation
            the loss may be that of an earlier iteration of the same step.
        seeks_scale: whether it was skipped because a dynamic loss scale above 1 let fp16
            gradients overflow, which says nothing about the batch.
    """

    finite_loss: bool
    updated: bool
    skipped: bool
    reason: str | None
    seeks_scale: bool

    @property
    def bad_batch(self) -> bool:
        """Whether this iteration's own batch is not to be believed."""
        return not self.finite_loss or self.reason == 'gradient'


class FiniteGuard:
    """Watches the losses of a model and the steps of its optimiser.

    A step is skipped by taking the gradients away: every optimiser of PyTorch leaves a
    parameter without gradient, and its moments, alone. So the guard works with any optimiser
    wrapper, mixed precision and gradient accumulation included. Gradients are looked at before
    they are clipped, since clipping by value makes infinite ones finite. It costs the norm of the
    gradients, or nothing where clipping computes it anyway, one all-reduce of two numbers and one
    host synchronisation per iteration.

    Gradients whose norm overflows (1.8e19 in float32) count as not finite: clipping by norm would
    make them all 0, and Adam would square them.

    Args:
        model: the model without its distributed wrapper; ``mode='loss'`` returns its losses.
        optim_wrapper: its optimiser wrapper.
    """

    def __init__(self, model: nn.Module, optim_wrapper: OptimWrapper) -> None:
        self.optim_wrapper = optim_wrapper
        self._parameter = next(model.parameters())
        self._loss: Tensor | None = None  # of this iteration
        self._norm: Tensor | None = None  # of the gradients, if they were clipped
        self._found: tuple[bool, bool] | None = None  # what the optimiser's hook saw
        self._poisoned = False  # the accumulated gradients hold a loss that was not finite
        self._handles = (
            model.register_forward_hook(self._see_losses, with_kwargs=True),
            optim_wrapper.optimizer.register_step_pre_hook(self._before_step),
        )
        self._clip_func = getattr(optim_wrapper, 'clip_func', None)  # None: without clipping
        if self._clip_func is not None:
            optim_wrapper.clip_func = self._clip

    def remove(self) -> None:
        """Lets go of the model and the optimiser."""
        for handle in self._handles:
            handle.remove()
        if self._clip_func is not None:
            self.optim_wrapper.clip_func = self._clip_func

    def close_iteration(self) -> Verdict:
        """Judges the iteration that is over; every rank calls this once per iteration."""
        due = self.optim_wrapper.should_update()
        found, self._found, self._norm = self._found, None, None
        if found is None:  # gradients are accumulated, or GradScaler made no step
            found = (self._agree(0.0)[0], due)
        bad_loss, bad_gradient = found
        poisoned = self._poisoned or bad_loss
        self._poisoned = poisoned and not due
        self._loss = None
        skipped = due and (poisoned or bad_gradient)
        return Verdict(
            finite_loss=not bad_loss,
            updated=due and not skipped,
            skipped=skipped,
            reason=('loss' if poisoned else 'gradient') if skipped else None,
            seeks_scale=skipped and not poisoned and self._seeks_scale(),
        )

    def _see_losses(self, model: nn.Module, args: tuple, kwargs: dict, output) -> None:
        """Adds up the losses, as mmengine's ``parse_losses`` does."""
        if kwargs.get('mode') != 'loss':
            return
        values = [value for key, value in output.items() if 'loss' in key]
        flat = [x for value in values for x in (value if isinstance(value, list) else [value])]
        self._loss = torch.stack([x.detach().float().mean() for x in flat]).sum()

    def _clip(self, parameters: list[Tensor], **kwargs) -> Tensor | None:
        """Clips; the norm, for the log, or None where there is none or it is not finite."""
        if self._clip_func is not nn.utils.clip_grad_norm_:
            self._norm = _gradient_norm(parameters)
            return self._clip_func(parameters, **kwargs)
        # An error of PyTorch's would come before the step can be skipped.
        self._norm = self._clip_func(parameters, **kwargs | dict(error_if_nonfinite=False))
        return self._norm if self._norm.isfinite() else None

    def _before_step(self, optimizer: torch.optim.Optimizer, args: tuple, kwargs: dict) -> None:
        """Takes the gradients away if they, or the losses behind them, are not finite."""
        parameters = [p for group in optimizer.param_groups for p in group['params']]
        norm = _gradient_norm(parameters) if self._norm is None else self._norm
        self._found = self._agree(norm)
        if self._poisoned or any(self._found):
            for parameter in parameters:
                parameter.grad = None

    def _agree(self, norm: Tensor | float) -> tuple[bool, bool]:
        """Whether the loss and the norm of the gradients are not finite on some rank."""
        device = self._parameter.device
        loss = 0.0 if self._loss is None else self._loss  # a train_step without forward()
        values = torch.stack([torch.as_tensor(x, device=device).float() for x in (loss, norm)])
        bad = (~values.isfinite()).int()
        all_reduce(bad, 'max')
        bad_loss, bad_gradient = bad.tolist()
        return bool(bad_loss), bool(bad_gradient)

    def _seeks_scale(self) -> bool:
        """Whether a dynamic loss scale can still be lowered."""
        scaler = getattr(self.optim_wrapper, 'loss_scaler', None)
        fixed = getattr(self.optim_wrapper, '_scale_update_param', None) is not None
        return scaler is not None and not fixed and scaler.get_scale() >= 1


def _gradient_norm(parameters: list[Tensor]) -> Tensor:
    gradients = [p.grad for p in parameters if p.grad is not None]
    return nn.utils.get_total_norm(gradients)
