"""How time and memory of a PMD step grow, and the largest batch that fits.

    python benchmarks/growth.py

Each point runs in a process of its own: one step that does not count, then ``--repeats`` that do.
Measured memory is the peak of the process, or of the GPU's tensors, minus what it held before the
model was built, libraries and a first tiny step included; predicted memory is that of
``memory_model.py``.
"""

import argparse
import logging
from statistics import median

from harness import (
    add_device,
    in_own_process,
    interleave,
    machine_line,
    markdown,
    peak_gib,
    resident_gib,
    save_json,
    spread,
)
from memory_model import step_memory
from steps import Step, build_model

# name: (batch, grid, mask ratio, activation checkpointing)
POINTS = {
    'batch 1, 16 frames, 224 px, 90 %': (1, {}, 0.9, False),
    'batch 2': (2, {}, 0.9, False),
    'batch 4': (4, {}, 0.9, False),
    '8 frames': (1, dict(num_frames=8), 0.9, False),
    '32 frames': (1, dict(num_frames=32), 0.9, False),
    '112 px': (1, dict(img_size=112), 0.9, False),
    '336 px': (1, dict(img_size=336), 0.9, False),
    'mask 75 %': (1, {}, 0.75, False),
    'mask 80 %': (1, {}, 0.80, False),
    'mask 85 %': (1, {}, 0.85, False),
    'mask 75 %, checkpointing': (1, {}, 0.75, True),
    'batch 4, mask 75 %': (4, {}, 0.75, False),
    'batch 4, mask 75 %, checkpointing': (4, {}, 0.75, True),
}
DEVICES = (24, 40, 80)


def build(grid: dict, ratio: float, checkpointing: bool, tiny: bool, device: str = 'cpu'):
    """The model of a point."""
    encoder = dict(activation_checkpointing=checkpointing)
    return build_model(tiny=tiny, grid=grid, ratio=ratio, backbone=encoder, device=device)


def run_point(
    batch: int,
    grid: dict,
    ratio: float,
    checkpointing: bool,
    tiny: bool,
    repeats: int,
    device: str = 'cpu',
) -> tuple[list[float], float, float]:
    """Seconds of each step, measured and predicted GiB; call it in a process of its own."""
    Step(build_model(tiny=True, device=device), 1)()  # loads every library that a step needs
    before = resident_gib(device)
    step = Step(build(grid, ratio, checkpointing, tiny, device), batch)
    seconds = interleave({'': step}, repeats)['']
    predicted = step_memory(step.model).total(batch) / 2**30
    return seconds, peak_gib(device) - before, predicted


def batch_table(tiny: bool) -> str:
    """Largest batch per device size, with and without bf16 activations and checkpointing."""
    rows = []
    for ratio in (0.75, 0.9):
        for checkpointing in (False, True):
            model = build({}, ratio, checkpointing, tiny)
            for name, element in (('float32', 4), ('bf16 autocast', 2)):
                memory = step_memory(model, element)
                rows.append(
                    (
                        f'{ratio:.0%}',
                        name,
                        'yes' if checkpointing else 'no',
                        f'{memory.fixed / 2**30:.2f}',
                        f'{memory.per_clip / 2**30:.3f}',
                        *(memory.largest_batch(size) for size in DEVICES),
                    )
                )
    header = ('mask', 'activations', 'checkpointing', 'fixed GiB', 'GiB per clip')
    return markdown((*header, *(f'{size} GB' for size in DEVICES)), rows)


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--points', nargs='*', choices=POINTS, default=list(POINTS))
    parser.add_argument('--repeats', type=int, default=2)
    parser.add_argument('--tiny', action='store_true', help='a smoke test in seconds')
    parser.add_argument('--json', help='write the raw figures here')
    add_device(parser)
    args = parser.parse_args()
    machine = machine_line(args.device)
    results = {
        name: in_own_process(run_point, *POINTS[name], args.tiny, args.repeats, args.device)
        for name in args.points
    }
    print(machine)
    print(f'PMD step, float32, a process per point, median of {args.repeats} steps\n')
    rows, first = [], None
    for name, (seconds, measured, predicted) in results.items():
        first = first or median(seconds)
        time = f'{median(seconds):.2f}', spread(seconds), f'{median(seconds) / first:.2f}'
        memory = f'{measured:.2f}', f'{predicted:.2f}', f'{predicted / measured:.2f}'
        rows.append((name, *time, *memory))
    header = ('point', 'median s', 'range s', 'of the first', 'peak GiB', 'predicted', 'ratio')
    print(markdown(header, rows))
    print('\nLargest batch by the model of memory_model.py, a tenth left free\n')
    print(batch_table(args.tiny))
    save_json(args.json, dict(machine=machine, results=results))


if __name__ == '__main__':
    main()
