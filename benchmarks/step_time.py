"""Time, memory and efficiency of one ViT-B training step: base, PMD and the plain reference.

    python benchmarks/step_time.py --batch 2 --repeats 5 --memory

All variants run in one process in turn; peak memory is taken in a process of its own for each.
"""

import argparse
import logging
from statistics import median

from harness import (
    add_cpu_time,
    add_device,
    in_own_process,
    interleave,
    machine_line,
    markdown,
    paired_ratio,
    peak_gib,
    product_rate,
    save_json,
    spread,
)
from reference_step import ReferenceStep
from steps import OFF, Step, build_model

from pmd_mmaction.models.operations import iteration_gflops

HALF = dict(views=dict(decode=dict(type='RunningCellMasker', mask_ratio=0.5)))
# name: (kind of step, changes of the model, options of the step)
VARIANTS = {
    'base': (Step, OFF, {}),
    'PMD': (Step, {}, {}),
    'reference': (ReferenceStep, OFF, {}),
    'base + PSD': (Step, dict(dare=None, clfa=None), {}),
    'base + DARE': (Step, dict(psd=None, clfa=None), {}),
    'base + CLFA': (Step, dict(psd=None, dare=None), {}),
    'base, bf16 teachers': (Step, dict(OFF, teacher_dtype='bfloat16'), {}),
    'PMD, bf16 teachers': (Step, dict(teacher_dtype='bfloat16'), {}),
    'PMD, bf16 auxiliary teacher': (Step, dict(psd=dict(aux_dtype='bfloat16')), {}),
    'PMD, fused AdamW': (Step, {}, dict(fused=True)),
    'PMD, inference mode': (Step, {}, dict(inference=True)),
    'PMD, compiled': (Step, {}, dict(compiled=True)),
    'PMD, half decoded': (Step, HALF, {}),
    'PMD, 2 masks': (Step, dict(num_masks=2), {}),
    'PMD, 2 masks, half decoded': (Step, dict(HALF, num_masks=2), {}),
    'PMD, 4 masks': (Step, dict(num_masks=4), {}),
    'PMD, 4 masks, half decoded': (Step, dict(HALF, num_masks=4), {}),
}


def make(variant: str, batch: int, tiny: bool, autocast: bool, depth: int, device: str) -> Step:
    """The step of a variant."""
    kind, changes, options = VARIANTS[variant]
    model = build_model(dict(changes), tiny, dict(depth=depth), device=device)
    return kind(model, batch, autocast=autocast, **options)


def peak_memory(variant: str, *settings: object) -> float:
    """GiB at the peak of two steps; call it in a process of its own."""
    step = make(variant, *settings)
    step(), step()
    return peak_gib(step.device.type)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--depth', type=int, default=12, help='layers; fewer compile faster')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument(
        '--variants', nargs='+', choices=VARIANTS, default=['base', 'PMD', 'reference']
    )
    parser.add_argument('--autocast', action='store_true', help='bfloat16 autocast, for all')
    parser.add_argument('--memory', action='store_true', help='peak memory of each variant too')
    parser.add_argument('--tiny', action='store_true', help='a smoke test in seconds')
    parser.add_argument('--json', help='write the raw figures here')
    add_cpu_time(parser)
    add_device(parser)
    return parser.parse_args()


def main() -> None:
    logging.disable(logging.INFO)
    args = parse_args()
    machine = machine_line(args.device)
    settings = args.batch, args.tiny, args.autocast, args.depth, args.device
    peaks = {}
    if args.memory:
        peaks = {name: in_own_process(peak_memory, name, *settings) for name in args.variants}
    steps = {name: make(name, *settings) for name in args.variants}
    gflops = {
        name: args.batch
        * iteration_gflops(step.model, step.model.phase, step.model.previous_ratio)['step']
        for name, step in steps.items()
        if type(step) is Step  # the reference computes more than the count of its model says
    }
    rates = [product_rate(args.device, clock=args.clock)]
    times = interleave(steps, args.repeats, clock=args.clock)
    rates.append(product_rate(args.device, clock=args.clock))
    rows, base, masks = [], args.variants[0], {n: s.model.num_masks for n, s in steps.items()}
    for name, seconds in times.items():
        row = [name, f'{median(seconds):.2f}', spread(seconds)]
        row += [
            f'{paired_ratio(seconds, times[other]) * masks[other] / masks[name]:.3f}'
            for other in dict.fromkeys((base, args.variants[-1]))
        ]
        work = gflops.get(name)
        row += (
            [f'{work:.0f}', f'{work / median(seconds) / median(rates):.2f}'] if work else ['', '']
        )
        rows.append((*row, f'{peaks[name]:.2f}') if peaks else row)
    precision = 'bf16 autocast' if args.autocast else 'float32'
    ratio = steps[base].model.phase.mask_ratio
    print(machine)
    print(
        f'{precision}, batch {args.batch}, {args.depth} layers, mask ratio {ratio}, {args.repeats} '
        f'interleaved rounds, {"CPU " if args.clock else ""}seconds of a step, ratios per pass of '
        f'the student; sgemm {rates[0]:.0f} before, {rates[1]:.0f} GFLOP/s after\n'
    )
    ratios = [f'of {name}' for name in dict.fromkeys((base, args.variants[-1]))]
    header = ['step', 'median s', 'range s', *ratios, 'GFLOP', 'of sgemm']
    header += ['peak GiB'] if peaks else []
    print(markdown(header, rows))
    save_json(
        args.json,
        dict(machine=machine, times=times, gflops=gflops, sgemm=rates, peak_gib=peaks),
    )


if __name__ == '__main__':
    main()
