"""GFLOPs of a training iteration per clip and phase, fused attention counted.

python benchmarks/flops.py configs/pmd/vit-b_k400_pretrain.py
"""

import argparse
import logging

from harness import markdown
from mmengine.config import Config
from mmengine.registry import init_default_scope

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.functional import PhaseSchedule
from pmd_mmaction.models.operations import build_without_weights, iteration_gflops


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='pre-training config')
    init_default_scope('mmaction')
    cfg = Config.fromfile(parser.parse_args().config)
    model = build_without_weights(cfg.model)
    schedule = PhaseSchedule.of_hook(cfg.default_hooks.curriculum)
    before = [None, *(phase.mask_ratio for phase in schedule.phases)]
    columns = [iteration_gflops(model, *pair) for pair in zip(schedule.phases, before)]
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
