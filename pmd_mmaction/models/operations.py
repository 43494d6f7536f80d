"""Floating point operations of a training step, counted on a model without weights."""

import functools
from collections.abc import Callable, Mapping
from unittest import mock

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch.utils.flop_counter import FlopCounterMode

from pmd_mmaction.functional import Phase
from pmd_mmaction.models.backbones import MaskedVisionTransformer
from pmd_mmaction.models.terms import History
from pmd_mmaction.teacher_configs import leave_out_files


def _attention_flops(query, key, value, *args, out_shape=None, **kwargs) -> int:
    """Two matrix products; PyTorch counts nothing for the CPU's fused kernel."""
    batch, heads, queries, width = query
    return 2 * 2 * batch * heads * queries * key[-2] * width


FUSED_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


def count_operations(call: Callable[[], object]) -> int:
    """Floating point operations of a forward call (a multiplication and an addition are two)."""
    mapping = {FUSED_CPU: _attention_flops}
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        call()
    return counter.get_total_flops()


def build_without_weights(cfg: Mapping) -> torch.nn.Module:
    """A model on the device ``meta``: shapes, but no numbers and no checkpoints.

    Args:
        cfg: a config's ``model``; teachers' files need not exist, and all maskers are replaced by
            tubes: masks of a ratio cost alike.
    """
    cfg = Config(dict(cfg)).to_dict() | dict(masker=dict(type='TubeMasker'))
    leave_out_files(cfg)
    # MMAction2 reads numbers off a tensor when it builds a ViT
    linspace = functools.partial(torch.linspace, device='cpu')
    with (
        mock.patch('torch.linspace', linspace),
        mock.patch.object(MaskedVisionTransformer, 'init_weights'),
        torch.device('meta'),
    ):
        return MODELS.build(cfg).eval()


def iteration_gflops(
    model: torch.nn.Module, phase: Phase, previous_ratio: float | None = None
) -> dict[str, float]:
    """Forward GFLOPs per clip of each part of an iteration, all masks of the clip together.

    Args:
        model: a :class:`MaskedDistillation`, on any device or on ``meta``.
        phase: the phase.
        previous_ratio: mask ratio of the phase before, whose student is the auxiliary teacher;
            None: there is none.

    Returns:
        Part to GFLOPs; ``base step`` is that without terms' own layers and auxiliary teacher; steps
        count trained parts three times (forward and backward).
    """
    device = next(model.parameters()).device
    before, model.auxiliary_teacher = model.auxiliary_teacher, None
    model.set_phase(phase, previous_ratio)
    if previous_ratio is not None and model.needs_auxiliary_teacher:
        model.promote_student()
    model.seed_masks(0)
    clip = torch.empty(1, *model.backbone.clip_size)
    drawn = model.draw_views(clip)  # a random generator needs a real device
    moved = {id(view): view.to(device) for view in drawn.values()}
    views = {name: moved[id(view)] for name, view in drawn.items()}  # shared ones stay shared
    clip = torch.zeros(clip.shape, device=device)
    parts = {
        f'{name} teacher': count_operations(lambda n=name: model.ask(n, clip, views))
        for name in model.used_teachers
    }
    frozen = sum(parts.values())
    encoder, student = model.backbone, views['student']
    tokens = encoder.encode(clip, student.visible).tokens
    parts['encoder'] = count_operations(lambda: encoder.encode(clip, student.visible))
    parts['decoders'] = count_operations(
        lambda: [decoder(tokens, *student) for decoder in model.decoders.values()]
    )
    trained = parts['encoder'] + parts['decoders']
    parts['base step'] = frozen + 3 * trained
    parts['auxiliary teacher'] = count_operations(lambda: model._auxiliary(clip, views))
    table = torch.zeros(1, len(model.teachers), encoder.num_patches, device=device)
    history = None if model.dare is None else History(table, None)
    whole = count_operations(lambda: model.distill(clip, views, history))
    model.auxiliary_teacher = before
    parts["terms' layers"] = whole - frozen - trained - parts['auxiliary teacher']
    parts['step'] = parts['base step'] + parts['auxiliary teacher'] + 3 * parts["terms' layers"]
    return {name: value / 1e9 for name, value in parts.items()}
