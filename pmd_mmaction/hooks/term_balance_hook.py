"""How hard each term of the loss pulls at the encoder."""

from __future__ import annotations

import math
from typing import Mapping, NamedTuple, Sequence

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import Tensor

from pmd_mmaction.arguments import Whole, checked
from pmd_mmaction.contracts import WeighableModel
from pmd_mmaction.hooks.unwrapped_model import plain_model

REFERENCE = 'base'  # the term that the others are compared with; without it, the first
TOO_HEAVY = 10


class Pull(NamedTuple):
    """The gradient of a term with respect to the encoder's weights.

    Attributes:
        norm: its Euclidean norm over all weights.
        cosine: to the gradient of the reference; NaN where one of them is 0.
    """

    norm: float
    cosine: float


def term_pulls(
    losses: Mapping[str, Tensor], weights: Sequence[Tensor], scale: Tensor | None = None
) -> dict[str, Pull]:
    """Norm of each term's gradient, and its cosine to that of base.

    Args:
        losses: name of a term to its loss, a scalar with its graph.
        weights: with respect to which. No ``.grad`` is touched.
        scale: factor of the losses under which float16 gradients do not vanish; divided out.

    Returns:
        Name to pull, the reference first. A term without gradient has norm 0.
    """
    reference = REFERENCE if REFERENCE in losses else next(iter(losses))
    names = [reference, *(name for name in losses if name != reference)]
    scale = torch.ones((), device=weights[0].device) if scale is None else scale
    against: list[Tensor] = []
    numbers = []
    for name in names:
        gradient = _gradient(losses[name], weights, scale)
        against = against or gradient
        squares, products = _dot(gradient, gradient), _dot(gradient, against)
        numbers.append(torch.stack([squares, products]))
    squares, products = torch.stack(numbers).double().unbind(1)
    norms = squares.sqrt()
    cosines = products / (norms * norms[0])
    found = torch.stack([norms / scale, cosines], 1).tolist()  # the only wait for the device
    return {name: Pull(*pull) for name, pull in zip(names, found)}


def _gradient(loss: Tensor, weights: Sequence[Tensor], scale: Tensor) -> list[Tensor]:
    if not loss.requires_grad:  # PSD in the first phase
        return [weights[0].new_zeros(1)] * len(weights)
    # What the terms share of the graph is freed with the last reference to it.
    found = torch.autograd.grad(
        loss, weights, scale.to(loss.dtype), retain_graph=True, allow_unused=True
    )
    return [w.new_zeros(1) if g is None else g for g, w in zip(found, weights)]


def _dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return torch.stack([(x.float() * y).sum() for x, y in zip(a, b)]).sum()


@HOOKS.register_module()
class TermBalanceHook(Hook):
    """Logs how hard each term of the loss pulls at the encoder, and warns when one drowns base.

    Terms read different places, predictions or layers of the encoder, so their pulls are
    compared where all of them end: in the gradients with respect to the encoder's weights. The log
    gets ``term_norm_<term>`` and ``term_cosine_<term>`` (to base), of some clips of the batch that
    comes next and before its step, so the first ones are those of the initialisation. The training
    stays as it is, bit for bit. The main process alone measures, on its own clips. Does nothing
    where the loss has one term. In a method without base the first term takes its place in the log
    and nothing is warned of, for none of its terms is meant to lead.

    Args:
        interval: iterations from one measurement to the next.
        clips: videos of the batch that are looked at.

    Raises:
        ValueError: if one of them is below 1.
    """

    priority = 'VERY_LOW'  # after all that prepares an iteration

    @checked
    def __init__(self, interval: Whole = 500, clips: Whole = 4) -> None:
        self.interval = interval
        self.clips = clips
        self._heavy: set[str] = set()

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Measures."""
        model = plain_model(runner)
        due = runner.iter % self.interval == 0 and is_main_process()
        if due and isinstance(model, WeighableModel) and len(model.terms) > 1:
            if any(weight.requires_grad for weight in model.backbone.parameters()):
                self._report(runner, model, self._measure(runner, model, data_batch))

    def _measure(self, runner, model: WeighableModel, data_batch: dict) -> dict[str, Pull]:
        few = {key: value[: self.clips] for key, value in data_batch.items()}
        weights = [weight for weight in model.backbone.parameters() if weight.requires_grad]
        device = weights[0].device
        scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
        scale = None if scaler is None else scaler.scale(torch.ones((), device=device))
        with torch.random.fork_rng([device] if device.type == 'cuda' else []):
            with runner.optim_wrapper.optim_context(model):
                losses = model.term_losses(**model.data_preprocessor(few, True))
            return term_pulls(losses, weights, scale)

    def _report(self, runner, model: WeighableModel, pulls: dict[str, Pull]) -> None:
        values = {f'term_norm_{name}': pull.norm for name, pull in pulls.items()}
        reference, *others = pulls
        cosines = {f'term_cosine_{name}': pulls[name].cosine for name in others}
        values |= {key: cosine for key, cosine in cosines.items() if not math.isnan(cosine)}
        runner.visualizer.add_scalars(values, step=runner.iter)
        base = pulls[reference].norm
        texts = [
            f'{name} {pulls[name].norm:.3g} (cosine {pulls[name].cosine:.2f})' for name in others
        ]
        runner.logger.info(
            f'Gradients on the encoder by term: {reference} {base:.3g}, {", ".join(texts)}'
        )
        bound = TOO_HEAVY * base if reference == REFERENCE else math.inf
        heavy = {name for name in others if pulls[name].norm > bound}
        for name in sorted(heavy - self._heavy):
            runner.logger.warning(
                f'The term {name} pulls {pulls[name].norm / max(base, 1e-30):.0f} times as hard at '
                f'the encoder as {reference}, which hardly counts then: give it '
                f'{model.terms[name].lighter}'
            )
        self._heavy = heavy
