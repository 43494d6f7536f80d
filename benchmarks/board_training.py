"""Classifiers of a leaderboard that are trained: an attentive probe, and fine-tuning.

Videos and tokens are in memory, so neither costs more than its matrix products.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pmd_mmaction.models import AttentiveHead

BATCH = 32
SHIFT = 4  # pixels
Classify = Callable[[Tensor], Tensor]


def fit(
    module: nn.Module, classify: Classify, inputs: Tensor, labels: Tensor, epochs: int, lr: float
) -> None:
    """Trains a module with AdamW: a tenth of the steps warm up, the rest follows a cosine.

    Args:
        module: what learns.
        classify: ``(B, ...)`` inputs to ``(B, classes)`` scores.
        inputs: ``(S, ...)``.
        labels: ``(S,)`` int64 classes.
        epochs: passes over the inputs, in an order that depends on nothing but S.
        lr: highest rate.
    """
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(module.parameters(), lr, weight_decay=0.05)
    total = epochs * math.ceil(len(inputs) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, total))
    for _ in range(epochs):
        for part in torch.randperm(len(inputs), generator=generator).split(BATCH):
            loss = F.cross_entropy(classify(inputs[part]), labels[part], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def rate(step: int, total: int) -> float:
    """Share of the highest rate: up over a tenth of the steps, then down to 0."""
    warmup = max(1, total // 10)
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup))) / 2


def attentive_probe(tokens: dict[str, Tensor], labels: Tensor, device: str) -> Tensor:
    """Scores of an attentive probe on frozen tokens.

    Args:
        tokens: of ``train`` and ``val``, ``(S, N, D)``.
        labels: ``(S,)`` int64 classes of ``train``.
        device: where the probe learns.

    Returns:
        ``(S, classes)`` scores of ``val``.
    """
    torch.manual_seed(0)
    head = AttentiveHead(int(labels.max()) + 1, tokens['train'].shape[-1])
    head.init_weights()
    head.to(device).train()

    def classify(batch: Tensor) -> Tensor:
        return head(batch.to(device).transpose(1, 2)[..., None, None])

    fit(head, classify, tokens['train'], labels.to(device), epochs=60, lr=3e-3)
    with torch.no_grad():
        return torch.cat([classify(part).cpu() for part in tokens['val'].split(64)])


def fine_tuning(
    backbone: nn.Module,
    prepare: Classify,
    pixels: dict[str, Tensor],
    labels: Tensor,
    epochs: int,
    start: tuple[Tensor, Tensor],
) -> Tensor:
    """Scores of an encoder that learns together with a linear layer on the mean of its tokens.

    The layer starts as the linear probe (Kumar et al., 2022): from zero, some hundred steps end far
    below that probe.

    Args:
        backbone: the encoder, which is changed.
        prepare: ``(B, C, T, H, W)`` uint8 clips to what the encoder takes.
        pixels: uint8 clips of ``train`` and ``val``.
        labels: ``(S,)`` int64 classes of ``train``.
        epochs: passes over ``train``, each clip shifted by up to 4 pixels.
        start: weight and bias of the linear probe on these labels.

    Returns:
        ``(S, classes)`` scores of ``val``.
    """
    torch.manual_seed(0)
    device = next(backbone.parameters()).device
    head = nn.Linear(backbone.embed_dims, int(labels.max()) + 1).to(device)
    head.load_state_dict(dict(zip(('weight', 'bias'), start, strict=True)))
    model = nn.ModuleList([backbone, head])

    def classify(clips: Tensor) -> Tensor:
        clips = shift(clips) if torch.is_grad_enabled() else clips
        return head(backbone.encode(prepare(clips)).tokens.mean(1))

    fit(model.train(), classify, pixels['train'], labels.to(device), epochs, lr=5e-4)
    model.eval()
    with torch.no_grad():
        return torch.cat([classify(part).cpu() for part in pixels['val'].split(64)])


def shift(clips: Tensor) -> Tensor:
    """Moves each clip by up to 4 pixels; what comes in repeats the edge."""
    height, width = clips.shape[-2:]
    padded = F.pad(clips.flatten(1, 2).float(), [SHIFT] * 4, mode='replicate')
    corners = torch.randint(0, 2 * SHIFT + 1, (len(clips), 2)).tolist()
    moved = [clip[:, y : y + height, x : x + width] for clip, (y, x) in zip(padded, corners)]
    return torch.stack(moved).view_as(clips).to(clips.dtype)
