"""Host time of an optimizer step: a parameter group for each parameter, and merged groups.

    python benchmarks/optimizer_step.py --repeats 30

The trained part of the ViT-B pre-training model (student, decoders, CLFA) with its number of
parameters and tiny widths, so that next to nothing is computed: what is left is what the host
does for a step, on a CPU or a GPU. Each case is AdamW with the config's rules, built by MMEngine's
constructor and by ours, stepped one parameter after the other, in groups (foreach, torch's default
on a GPU) and fused.
"""

import argparse
import logging
from statistics import median

import torch
from harness import interleave, machine_line, markdown, paired_ratio, save_json, spread
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from steps import CONFIG, TINY_GRID, build_model

CONSTRUCTORS = {
    'many groups': 'DefaultOptimWrapperConstructor',
    'merged': 'MergedOptimWrapperConstructor',
}
WAYS = {
    'one by one': dict(foreach=False),
    'foreach': dict(foreach=True),
    'fused': dict(fused=True),
}


def build(model: torch.nn.Module, constructor: str, way: dict) -> torch.optim.Optimizer:
    """An optimizer of the pre-training config that has made its first step.

    Args:
        model: with gradients.
        constructor: registered name.
        way: arguments of the optimizer that choose how it makes a step.
    """
    cfg = Config.fromfile(CONFIG).optim_wrapper.to_dict()
    cfg['optimizer'].update(way)
    cfg.update(constructor=constructor)
    optimizer = build_optim_wrapper(model, cfg).optimizer
    optimizer.step()
    return optimizer


def measure(
    device: str, depth: int, repeats: int
) -> tuple[dict[str, torch.optim.Optimizer], dict[str, list[float]]]:
    """Optimizers by the names of way and constructor, and the seconds of their steps.

    Args:
        device: where the parameters are.
        depth: layers of the student.
        repeats: steps.
    """
    sizes = dict(embed_dims=12, depth=depth, num_heads=3, **TINY_GRID)
    model = build_model(grid=sizes, ratio=0.5, device=device)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizers = {
        f'{way}, {name}': build(model, constructor, options)
        for way, options in WAYS.items()
        for name, constructor in CONSTRUCTORS.items()
    }
    cases = {name: optimizer.step for name, optimizer in optimizers.items()}
    return optimizers, interleave(cases, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--repeats', type=int, default=30)
    parser.add_argument('--device', default='cpu', help='where the parameters are')
    parser.add_argument('--tiny', action='store_true', help='a smoke test: fewer layers')
    parser.add_argument('--json', help='file for the raw figures')
    args = parser.parse_args()
    logging.disable(logging.INFO)
    optimizers, times = measure(args.device, 3 if args.tiny else 12, args.repeats)
    count = max(len(optimizer.param_groups) for optimizer in optimizers.values())
    print(f'{machine_line()}; {count} parameters on {args.device}\n')
    rows = []
    for name, seconds in times.items():
        before = times[f'{name.split(",")[0]}, many groups']
        milliseconds = [1000 * s for s in seconds]
        rows.append(
            [
                name,
                len(optimizers[name].param_groups),
                f'{median(milliseconds):.1f}',
                spread(milliseconds),
                f'{paired_ratio(seconds, before):.2f}',
            ]
        )
    print(markdown(['step', 'groups', 'median ms', 'range ms', 'of many groups'], rows))
    save_json(args.json, times)


if __name__ == '__main__':
    main()
