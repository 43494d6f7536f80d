"""No optimiser step from losses or gradients that are not finite."""

import math
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
        seeks_scale: whether the skip lowered a dynamic loss scale, which is still 1 or more: it
            was too large for float16 gradients, which says nothing about the batch.
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
    they are clipped, since clipping by value makes infinite ones finite, and without the scale of
    the loss. It costs the norm of the gradients, or nothing where clipping computes it anyway, one
    all-reduce of two numbers and one host synchronisation per iteration; a skipped step in float16
    costs another.

    Gradients whose norm overflows (1.8e19 in float32) count as not finite: clipping by norm would
    make them all 0, and Adam would square them.

    Args:
        model: the model without its distributed wrapper; ``mode='loss'`` returns its losses.
        optim_wrapper: its optimiser wrapper.
    """

    def __init__(self, model: nn.Module, optim_wrapper: OptimWrapper) -> None:
        self.optim_wrapper = optim_wrapper
        self._parameter = next(model.parameters())
        self._places = {parameter: i for i, parameter in enumerate(model.parameters())}
        self._loss: Tensor | None = None  # of this iteration
        self._found: tuple[bool, bool] | None = None  # whether loss and gradients are not finite
        self._clipped = False  # the gradients of the coming step, which were judged before
        self._poisoned = False  # the accumulated gradients hold a loss that was not finite
        self._scale = self._dynamic_scale()  # of the loss, before this iteration
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
        found, self._found, self._clipped = self._found, None, False
        if found is None:  # gradients are accumulated, or GradScaler made no step
            found = (self._agree(None)[0], due)
        bad_loss, bad_gradient = found
        poisoned = self._poisoned or bad_loss
        self._poisoned = poisoned and not due
        self._loss = None
        skipped = due and (poisoned or bad_gradient)
        before, self._scale = self._scale, self._dynamic_scale()
        return Verdict(
            finite_loss=not bad_loss,
            updated=due and not skipped,
            skipped=skipped,
            reason=('loss' if poisoned else 'gradient') if skipped else None,
            seeks_scale=skipped and not poisoned and _is_lowered(before, self._scale),
        )

    def _see_losses(self, model: nn.Module, args: tuple, kwargs: dict, output) -> None:
        """Adds up the losses, as mmengine's ``parse_losses`` does."""
        if kwargs.get('mode') != 'loss':
            return
        values = [value for key, value in output.items() if 'loss' in key]
        flat = [x for value in values for x in (value if isinstance(value, list) else [value])]
        self._loss = torch.stack([x.detach().float().mean() for x in flat]).sum()

    def _clip(self, parameters: list[Tensor], **kwargs) -> float | None:
        """Clips; the norm, for the log, or None where there is none or it is not finite."""
        # Sums of another order round differently: a norm must not depend on parameter groups.
        parameters = sorted(parameters, key=lambda x: self._places.get(x, -1))
        by_norm = self._clip_func is nn.utils.clip_grad_norm_
        if by_norm:
            # An error of PyTorch's would come before the step can be skipped.
            norm = self._clip_func(parameters, **kwargs | dict(error_if_nonfinite=False))
        else:
            norm = _gradient_norm(parameters)
            self._clip_func(parameters, **kwargs)
        *found, norm = self._agree(norm)
        self._found, self._clipped = tuple(found), True
        return norm if by_norm and math.isfinite(norm) else None

    def _before_step(self, optimizer: torch.optim.Optimizer, args: tuple, kwargs: dict) -> None:
        """Takes the gradients away if they, or the losses behind them, are not finite."""
        parameters = [p for group in optimizer.param_groups for p in group['params']]
        if not self._clipped:
            self._found = self._agree(_unscaled_norm(optimizer, parameters))[:2]
        self._clipped = False
        if self._poisoned or any(self._found):
            for parameter in parameters:
                parameter.grad = None

    def _agree(self, norm: Tensor | None) -> tuple[bool, bool, float]:
        """Whether loss and norm of the gradients are not finite on some rank, and the norm here."""
        zero = torch.zeros((), device=self._parameter.device)
        # None is a train_step without forward(), or gradients that nobody asks for
        values = torch.stack([zero if x is None else x.to(zero) for x in (self._loss, norm)])
        bad = (~values.isfinite()).float()
        all_reduce(bad, 'max')
        bad_loss, bad_gradient, norm = torch.cat([bad, values[1:]]).tolist()
        return bool(bad_loss), bool(bad_gradient), norm

    def _dynamic_scale(self) -> Tensor | None:
        """The scale of the loss, on the device, or None if it is fixed or there is none."""
        scaler = getattr(self.optim_wrapper, 'loss_scaler', None)
        fixed = getattr(self.optim_wrapper, '_scale_update_param', None) is not None
        if scaler is None or fixed or not scaler.is_enabled():
            return None
        return scaler.scale(torch.ones((), device=self._parameter.device))


def _is_lowered(before: Tensor | None, now: Tensor | None) -> bool:
    """Whether a dynamic scale became smaller and can become smaller still."""
    return now is not None and bool((now < before) & (now >= 1))


def _unscaled_norm(optimizer: torch.optim.Optimizer, parameters: list[Tensor]) -> Tensor:
    """Norm of the gradients without the scale of the loss, which is taken off them."""
    scale = getattr(optimizer, 'grad_scale', None)
    if scale is None:
        return _gradient_norm(parameters)
    # GradScaler leaves the division to a fused optimizer; before it, a norm may overflow.
    gradients = [p.grad for p in parameters if p.grad is not None]
    if any(gradient.dtype == torch.float16 for gradient in gradients):
        return _gradient_norm(parameters) / scale  # divided, they would underflow
    if gradients:
        torch._foreach_mul_(gradients, scale.double().reciprocal().float())
    optimizer.grad_scale = None
    return _gradient_norm(parameters)


def _gradient_norm(parameters: list[Tensor]) -> Tensor:
    gradients = [p.grad for p in parameters if p.grad is not None]
    if any(gradient.dtype == torch.float16 for gradient in gradients):
        norms = [torch.linalg.vector_norm(x, dtype=torch.float32) for x in gradients]
        return torch.linalg.vector_norm(torch.stack(norms))
    return nn.utils.get_total_norm(gradients)
