"""The paper's module ablation in miniature, on the embedded clips: three seeds, real probes.

    make demo                          # makes the clips and the two teachers
    python benchmarks/mini_ablation.py --epochs 12 --seeds 3

Every cell is a training through tools/train.py and a linear probe through tools/linear_probe.py.
Finished cells are kept in --work-dir and not run again.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import machine_line, markdown, save_json
from mmengine.config import Config
from scipy.stats import t as student_t
from tqdm import tqdm

import pmd_mmaction  # noqa: F401  (registers the components)

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs/pmd/vit-tiny_demo_pretrain.py'
PROBE = ROOT / 'configs/pmd/vit-tiny_demo_probe.py'
OFF = dict(psd=None, dare=None, clfa=None)
RISING, CONSTANT = (0.75, 0.80, 0.85, 0.90), (0.90,)

# name: (mask ratios, changes of the model, whether it runs with every seed)
VARIANTS = {
    'untrained': (None, {}, True),
    'base, 90 %': (CONSTANT, OFF, True),
    '+ PSD': (RISING, dict(dare=None, clfa=None), True),
    '+ PSD + DARE': (RISING, dict(clfa=None), True),
    'all (PMD)': (RISING, {}, True),
    'all, difficulty_scale=paper': (RISING, {'dare.difficulty_scale': 'paper'}, False),
    'all, aux_mask=nested': (RISING, {'psd.aux_mask': 'nested'}, False),
    'all, align_tokens=masked': (RISING, {'clfa.align_tokens': 'masked'}, False),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--epochs', type=int, default=12, help='epochs of each training')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='trainings at a time')
    parser.add_argument('--work-dir', default='work_dirs/mini_ablation')
    parser.add_argument('--json', help='write the raw figures here')
    args = parser.parse_args()
    if args.epochs % len(RISING) or args.epochs < 2 * len(RISING):
        parser.error(f'--epochs must be a multiple of {len(RISING)}, two per phase at least')
    return args


def write_config(path: Path, ratios: tuple, changes: dict, epochs: int) -> None:
    """The demo's config with other phases and terms; the learning rate restarts per phase."""
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({f'model.{key}': value for key, value in changes.items()})
    length = epochs // len(ratios)
    hook = cfg.default_hooks.curriculum
    hook.phases = [(ratio, length) for ratio in ratios]
    hook.schedule.warmup = 1 / length
    path.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(path)


def run_cell(name: str, seed: int, epochs: int, work: Path) -> float:
    """Top-1 of one variant and seed."""
    ratios, changes, _ = VARIANTS[name]
    folder = work / ''.join(c if c.isalnum() else '_' for c in f'{name} {seed}')
    result = folder / 'probe.json'
    if not result.exists():
        folder.mkdir(parents=True, exist_ok=True)
        source = ['--random']
        if ratios is not None:
            write_config(folder / 'config.py', ratios, changes, epochs)
            call(
                folder,
                'tools/train.py',
                folder / 'config.py',
                '--resume',
                '--no-validate',
                '--seed',
                seed,
                '--work-dir',
                folder,
            )
            source = [folder / f'phase_{len(ratios)}_student.pth']
        call(
            folder,
            'tools/linear_probe.py',
            PROBE,
            *source,
            '--work-dir',
            folder / 'probe',
            '--json',
            result,
            '--cfg-options',
            f'randomness.seed={seed}',
        )
    return json.loads(result.read_text())['acc/top1']


def call(folder: Path, *command: object) -> None:
    """Runs a tool on one thread, its output in a file."""
    with (folder / 'output.txt').open('a') as output:
        status = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
        )
    if status.returncode:
        raise SystemExit(f'{command[0]} failed; see {folder / "output.txt"}')


def interval(values: list[float]) -> str:
    """Half width of the 95 % confidence interval of the mean (Student's t)."""
    if len(values) < 2:
        return 'one seed'
    factor = student_t.ppf(0.975, len(values) - 1)
    return f'{factor * statistics.stdev(values) / len(values) ** 0.5:.3f}'


def main() -> None:
    args = parse_args()
    work = (ROOT / args.work_dir).resolve()
    cells = [
        (name, seed)
        for seed in range(args.seeds)
        for name, (_, _, every) in VARIANTS.items()
        if every or seed == 0
    ]
    with ThreadPoolExecutor(args.jobs) as pool:
        accuracies = list(
            tqdm(pool.map(lambda cell: run_cell(*cell, args.epochs, work), cells), total=len(cells))
        )
    results: dict[str, list[float]] = {}
    for (name, _), accuracy in zip(cells, accuracies):
        results.setdefault(name, []).append(accuracy)
    print(machine_line())
    print(f'Linear probe top-1, {args.epochs} epochs, 12 classes (chance 0.083)\n')
    print(
        markdown(
            ('variant', 'mean', '95 % interval +-', 'seeds'),
            [
                (name, f'{statistics.mean(v):.3f}', interval(v), ', '.join(f'{x:.3f}' for x in v))
                for name, v in results.items()
            ],
        )
    )
    save_json(args.json, dict(machine=machine_line(), epochs=args.epochs, results=results))


if __name__ == '__main__':
    main()
