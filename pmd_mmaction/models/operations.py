"""Floating point operations of a training step, counted on a model without weights."""

import functools
from collections.abc import Callable, Mapping
from contextlib import ExitStack
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
    return _count_within(call, {})[0]


def _count_within(
    call: Callable[[], object], modules: Mapping[str, torch.nn.Module]
) -> tuple[int, dict[str, int]]:
    """Operations of a forward call, and the share of each of some modules that it calls."""
    within = dict.fromkeys(modules, 0)
    mapping = {FUSED_CPU: _attention_flops}
    with (
        torch.no_grad(),
        FlopCounterMode(display=False, custom_mapping=mapping) as counter,
        ExitStack() as hooks,
    ):

        def add(name: str, sign: int, *_: object) -> None:
            within[name] += sign * counter.get_total_flops()

        for name, module in modules.items():
            before, after = (functools.partial(add, name, sign) for sign in (-1, 1))
            hooks.callback(module.register_forward_pre_hook(before).remove)
            hooks.callback(module.register_forward_hook(after).remove)
        call()
    return counter.get_total_flops(), within


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
    encoder, visible = model.backbone, views['student'].visible
    table = torch.zeros(1, len(model.teachers), encoder.num_patches, device=device)
    history = None if model.dare is None else History(table, None)
    frozen = {f'{name} teacher': model.teachers[name] for name in model.used_teachers}
    modules = frozen | dict(model.decoders.items())
    if model.auxiliary_teacher is not None:
        modules['auxiliary teacher'] = model.auxiliary_teacher
    whole, within = _count_within(lambda: model.distill(clip, views, history), modules)
    parts = {name: within[name] for name in frozen}
    parts['encoder'] = count_operations(lambda: encoder.encode(clip, visible))
    parts['decoders'] = sum(within[name] for name in model.decoders)
    trained = parts['encoder'] + parts['decoders']
    parts['base step'] = sum(within[name] for name in frozen) + 3 * trained
    parts['auxiliary teacher'] = within.get('auxiliary teacher', 0)
    model.auxiliary_teacher = before
    parts["terms' layers"] = whole - sum(within.values()) - parts['encoder']
    parts['step'] = parts['base step'] + parts['auxiliary teacher'] + 3 * parts["terms' layers"]
    return {name: value / 1e9 for name, value in parts.items()}
