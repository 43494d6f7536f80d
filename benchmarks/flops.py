"""GFLOPs of a training iteration per clip and phase, fused attention counted.

python benchmarks/flops.py configs/pmd/vit-b_k400_pretrain.py
"""

import argparse
import functools
import logging
from collections.abc import Callable, Mapping
from unittest import mock

import torch
from harness import markdown
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch.utils.flop_counter import FlopCounterMode

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.functional import Phase, PhaseSchedule
from pmd_mmaction.models import FeatureTeacher, MaskedVisionTransformer, View
from pmd_mmaction.models.terms import History


def _attention_flops(query, key, value, *args, out_shape=None, **kwargs) -> int:
    """Two matrix products; PyTorch counts nothing for the CPU's fused kernel."""
    batch, heads, queries, width = query
    return 2 * 2 * batch * heads * queries * key[-2] * width


FUSED_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


def count_flops(call: Callable[[], object]) -> int:
    """Floating point operations of a forward call (a multiplication and an addition are two)."""
    with (
        torch.no_grad(),
        FlopCounterMode(display=False, custom_mapping={FUSED_CPU: _attention_flops}) as counter,
    ):
        call()
    return counter.get_total_flops()


def build_without_weights(cfg: Mapping) -> torch.nn.Module:
    """A model on the device ``meta``: shapes, but no numbers and no checkpoints.

    Args:
        cfg: a config's ``model``; teachers' files need not exist.
    """
    init_default_scope('mmaction')
    cfg = Config(dict(cfg)).to_dict()
    parts = [cfg.get('image_teacher'), cfg.get('video_teacher'), *cfg.get('teachers', {}).values()]
    for teacher in parts:
        if teacher is not None and 'checkpoint' in teacher:
            teacher['checkpoint'] = None
    # MMAction2 reads numbers off a tensor when it builds a ViT
    linspace = functools.partial(torch.linspace, device='cpu')
    with (
        mock.patch('torch.linspace', linspace),
        mock.patch.object(MaskedVisionTransformer, 'init_weights'),
        torch.device('meta'),
    ):
        return MODELS.build(cfg).eval()


def iteration_gflops(model: torch.nn.Module, phase: Phase) -> dict[str, float]:
    """Forward GFLOPs per clip of each part of an iteration, all masks of the clip together.

    Args:
        model: a :class:`MaskedDistillation`, on any device or on ``meta``.
        phase: the phase.

    Returns:
        Part to GFLOPs; ``base step`` is that without terms' own layers and auxiliary teacher; steps
        count trained parts three times (forward and backward).
    """
    device = next(model.parameters()).device
    model.set_phase(phase, phase.mask_ratio)
    model.seed_masks(0)
    clip = torch.empty(1, *model.backbone.clip_size)
    drawn = model.draw_views(clip)  # a random generator needs a real device
    views = {name: type(v)._make(index.to(device) for index in v) for name, v in drawn.items()}
    clip = torch.zeros(clip.shape, device=device)
    parts = {
        f'{name} teacher': count_flops(lambda t=teacher: t(clip, (), _seen(t, views)))
        for name, teacher in model.teachers.items()
        if name in model._run_teachers
    }
    frozen = sum(parts.values())
    encoder, student = model.backbone, views['student']
    tokens = encoder.encode(clip, student.visible).tokens
    parts['encoder'] = count_flops(lambda: encoder.encode(clip, student.visible))
    parts['decoders'] = count_flops(
        lambda: [decoder(tokens, *student) for decoder in model.decoders.values()]
    )
    trained = parts['encoder'] + parts['decoders']
    parts['base step'] = frozen + 3 * trained
    parts['auxiliary teacher'] = trained if phase.index and model.needs_auxiliary_teacher else 0
    table = torch.zeros(1, len(model.teachers), encoder.num_patches, device=device)
    history = None if model.dare is None else History(table, None)
    auxiliary, model.auxiliary_teacher = model.auxiliary_teacher, None
    whole = count_flops(lambda: model.distill(clip, views, history))
    model.auxiliary_teacher = auxiliary
    parts["terms' layers"] = whole - frozen - trained
    parts['step'] = parts['base step'] + parts['auxiliary teacher'] + 3 * parts["terms' layers"]
    return {name: value / 1e9 for name, value in parts.items()}


def _seen(teacher: FeatureTeacher, views: Mapping[str, View]) -> torch.Tensor | None:
    """The patches that a teacher sees; None: all."""
    return None if teacher.view is None else views[teacher.view].visible


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='pre-training config')
    cfg = Config.fromfile(parser.parse_args().config)
    model = build_without_weights(cfg.model)
    schedule = PhaseSchedule.of_config(cfg.default_hooks.curriculum.phases)
    columns = [iteration_gflops(model, phase) for phase in schedule.phases]
    print('GFLOPs per clip; steps count trained parts three times\n')
    print(
        markdown(
            ('part', *(f'phase {p.index + 1} ({p.mask_ratio:.0%})' for p in schedule.phases)),
            [(name, *(f'{column[name]:.0f}' for column in columns)) for name in columns[0]],
        )
    )
    base, full = (
        sum(c[key] * (p.end - p.begin) for c, p in zip(columns, schedule.phases))
        for key in ('base step', 'step')
    )
    print(f'\nstep over base step, all phases: {full / base:.3f}')


if __name__ == '__main__':
    main()
