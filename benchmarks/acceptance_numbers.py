"""Acceptance: what a GPU computes, against the CPU and in half precision against float32."""

from collections.abc import Iterator, Mapping

import torch
from acceptance_rows import Row, Settings, at_least, at_most
from steps import Step, build_model, move_auxiliary
from torch import Tensor

from pmd_mmaction.compat.tf32 import set_tf32
from pmd_mmaction.models import View
from pmd_mmaction.models.terms import History

# Largest relative error of a loss, half precision against float32.
LOSS_ERROR = {torch.bfloat16: 3e-3, torch.float16: 5e-4}


def on_device(views: Mapping[str, View], device: str) -> dict[str, View]:
    """The views, there; generators of two devices draw different ones."""
    return {name: view.to(device) for name, view in views.items()}


def still_step(settings: Settings, batch: int, device: str) -> Step:
    """A step without drop path, whose auxiliary teacher is not the student."""
    set_tf32(False)
    model = build_model(tiny=settings.tiny, device=device)
    model.eval()
    torch.manual_seed(1)
    move_auxiliary(model)
    return Step(model, batch)


def parity(settings: Settings) -> Iterator[Row]:
    """Losses on the CPU and on the GPU, float32 without TF32."""
    step = still_step(settings, 1, 'cpu')
    model, views = step.model, step.model.draw_views(step.clips)
    with torch.no_grad():
        expected, _, _ = model.distill(step.clips, views, step.history)
        expected = {name: loss.item() for name, loss in expected.items()}
        model.to(settings.device)
        history = History(*(values.to(settings.device) for values in step.history))
        clips = step.clips.to(settings.device)
        found, _, _ = model.distill(clips, on_device(views, settings.device), history)
    for name, loss in found.items():
        error = abs(loss.item() / expected[name] - 1)
        yield at_most(f'{name}, CPU and GPU', error, 1e-4, f'{expected[name]:.6f} on the CPU')


def losses_and_gradient(
    step: Step, views: Mapping[str, View], dtype: torch.dtype | None, scale: float = 1.0
) -> tuple[dict[str, float], Tensor]:
    """Each loss, and the gradient of all parameters in one vector.

    Args:
        step: clips, model and history.
        views: which patches are masked.
        dtype: of autocast; None: none.
        scale: by which the loss is multiplied on its way back, as GradScaler does.
    """
    step.model.zero_grad()
    cast = torch.autocast(step.device.type, dtype or torch.bfloat16, enabled=dtype is not None)
    with cast:
        losses, _, _ = step.distill(step.clips, views, step.history)
    (scale * sum(losses.values())).backward()
    gradients = [p.grad.flatten() for p in step.model.parameters() if p.grad is not None]
    return {name: x.item() for name, x in losses.items()}, torch.cat(gradients) / scale


def cosine(a: Tensor, b: Tensor) -> float:
    """Cosine of two long vectors; sums of so many float32 numbers need float64."""

    def dot(x: Tensor, y: Tensor) -> float:
        parts = zip(x.split(2**24), y.split(2**24))
        return sum(torch.dot(p.double(), q.double()).item() for p, q in parts)

    return dot(a, b) / (dot(a, a) * dot(b, b)) ** 0.5


def precision(settings: Settings) -> Iterator[Row]:
    """Losses and gradients under autocast, against float32."""
    step = still_step(settings, 2 if settings.tiny else 4, settings.device)
    views = step.model.draw_views(step.clips)
    exact, gradient = losses_and_gradient(step, views, None)
    for dtype, most in LOSS_ERROR.items():
        # Without a scale float16 gradients underflow; GradScaler begins here and halves it.
        scale = 2.0**16 if dtype == torch.float16 else 1.0
        losses, found = losses_and_gradient(step, views, dtype, scale)
        while not found.isfinite().all() and scale > 1:
            scale /= 2
            losses, found = losses_and_gradient(step, views, dtype, scale)
        name = str(dtype).removeprefix('torch.')
        errors = {key: abs(losses[key] / exact[key] - 1) for key in exact}
        worst = max(errors, key=errors.get)
        # Distances of a tiny model are means over few channels.
        limit = 10 * most if settings.tiny else most
        yield at_most(f'{name}, largest error of a loss', errors[worst], limit, worst)
        total = abs(sum(losses.values()) / sum(exact.values()) - 1)
        yield at_most(f'{name}, error of the sum', total, most)
        similar = cosine(found, gradient)
        yield at_least(f'{name}, cosine of the gradients', similar, 0.999, f'loss scale {scale:g}')
