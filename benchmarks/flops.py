"""GFLOPs of a PMD training iteration per clip and phase, fused attention counted.

python benchmarks/flops.py configs/pmd/vit-b_k400_pretrain.py
"""

import argparse
import logging
from collections.abc import Callable

import torch
from harness import markdown
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch.utils.flop_counter import FlopCounterMode

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.functional import Phase, PhaseSchedule
from pmd_mmaction.models.terms import Step


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


def iteration_gflops(model: torch.nn.Module, phase: Phase) -> dict[str, float]:
    """Forward GFLOPs per clip of each part of an iteration.

    Args:
        model: a :class:`PMDRecognizer`.
        phase: the phase.

    Returns:
        Part to GFLOPs; ``step`` counts trained parts three times (forward and backward).
    """
    encoder = model.backbone
    t, h, w = encoder.token_grid
    side = encoder.patch_size
    size = 1, encoder.in_channels, encoder.num_frames, h * side, w * side
    clip = torch.randn(size, device=next(model.parameters()).device)
    model.set_phase(phase, phase.mask_ratio)
    model.seed_masks(0)
    views = model.draw_views(clip)
    view, clfa = views['student'], model.clfa
    parts = {
        f'{name} teacher': count_flops(lambda teacher=teacher: teacher(clip))
        for name, teacher in model.teachers.items()
    }
    layers = clfa.student_layers if clfa else ()
    encoded = encoder.encode(clip, view.visible, layers)
    parts['encoder'] = count_flops(lambda: encoder.encode(clip, view.visible))
    parts['decoders'] = count_flops(
        lambda: [decoder(encoded.tokens, *view) for decoder in model.decoders.values()]
    )
    frozen, trained = (
        sum(v for k, v in parts.items() if 'teacher' in k),
        sum(v for k, v in parts.items() if 'teacher' not in k),
    )
    parts['base step'] = frozen + 3 * trained
    parts['auxiliary teacher'] = trained if phase.index and model.psd else 0
    if clfa:
        targets, groups = model.teach(clip, views)
        step = Step(views, targets, groups, dict(zip(layers, encoded.layers)), decoded={})
        parts['CLFA'] = count_flops(lambda: clfa(step))
    parts['PMD step'] = parts['base step'] + parts['auxiliary teacher'] + 3 * parts.get('CLFA', 0)
    return {name: value / 1e9 for name, value in parts.items()}


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='pre-training config')
    cfg = Config.fromfile(parser.parse_args().config)
    init_default_scope('mmaction')
    for teacher in ('image_teacher', 'video_teacher'):
        if cfg.model.get(teacher):
            cfg.model[teacher].checkpoint = None
    model = MODELS.build(cfg.model).eval()
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
        for key in ('base step', 'PMD step')
    )
    print(f'\nPMD over base, all phases: {full / base:.3f}')


if __name__ == '__main__':
    main()
