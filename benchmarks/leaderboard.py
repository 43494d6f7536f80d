r"""Methods compared on the demo videos: paired seeds, intervals, a test against the first one.

    make demo                                      # makes the two teachers
    python benchmarks/leaderboard.py --seeds 3 \
        base=configs/pmd/ablations/vit-tiny_demo_pretrain_base.py \
        half=configs/pmd/vit-tiny_demo_pretrain.py:model.clfa.loss_weight=0.5

A method is NAME=CONFIG[:KEY=VALUE ...]. A cell is one training of one method with one seed, and the
evaluation of its encoder; it is kept as a small JSON under benchmarks/results/ and not run again,
so a board grows over days and machines.
"""

import argparse
import hashlib
import json
import logging
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from board_cell import SPLITS, read_clips
from board_configs import (
    ROOT,
    Method,
    configure,
    digest,
    epoch_gflops,
    foreign,
    passes,
    require_epochs,
    sources,
)
from board_table import METRICS, as_json, as_markdown, effects_as_markdown, plot, summarize
from harness import add_device
from mmengine.config import DictAction
from tqdm import tqdm

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.cpu_cores import count_cores
from pmd_mmaction.evaluation import choose_pipeline
from pmd_mmaction.storage.atomic_file import atomic_writer

RESULTS = ROOT / 'benchmarks/results'
FROZEN = [name for name in METRICS if not name.startswith('finetune')]


def parse_method(text: str) -> Method:
    """Reads NAME=CONFIG[:KEY=VALUE ...]."""
    name, separator, rest = text.partition('=')
    config, *changes = rest.split(':')
    if not separator or not name.replace('-', '').replace('_', '').replace('.', '').isalnum():
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=CONFIG[:KEY=VALUE ...]')
    if not (ROOT / config).is_file():
        raise argparse.ArgumentTypeError(f'{name}: there is no config {config}')
    return Method(name, config, dict(_parse_change(change) for change in changes))


def _parse_change(text: str) -> tuple[str, object]:
    key, _, value = text.partition('=')
    return key, DictAction._parse_iterable(value)


def parse_effect(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Reads NAME=A/B[,C/D ...]."""
    name, _, rest = text.partition('=')
    pairs = [tuple(pair.split('/')) for pair in rest.split(',')]
    if not name or any(len(pair) != 2 for pair in pairs):
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=A/B[,C/D ...]')
    return name, pairs


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('methods', nargs='+', type=parse_method, help='the first one is the base')
    parser.add_argument('--seeds', type=int, default=5)
    parser.add_argument(
        '--epochs',
        type=int,
        default=12,
        help='of the first method; 24 tell two points in the linear probe with five seeds '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--budget',
        choices=('passes', 'flops'),
        default='passes',
        help='what is equal: passes of the student, or operations; epochs follow',
    )
    parser.add_argument('--data', type=Path, default=Path('data/demo'), help='a demo data set')
    parser.add_argument('--teachers', type=Path, default=Path('work_dirs/demo'))
    parser.add_argument('--results', type=Path, default=RESULTS, help='folder of the cells')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/leaderboard'))
    parser.add_argument('--jobs', type=int, default=count_cores(), help='trainings at a time')
    parser.add_argument(
        '--evaluate',
        nargs='+',
        choices=METRICS,
        default=FROZEN,
        help='what each student is worth (default: on frozen features)',
    )
    parser.add_argument(
        '--metric', choices=METRICS, default='linear', help='what gain and plot are about'
    )
    parser.add_argument(
        '--effects',
        nargs='+',
        type=parse_effect,
        default=[],
        metavar='NAME=A/B[,C/D ...]',
        help='mean difference of A from B, C from D ..., paired by seed',
    )
    parser.add_argument('--plot', type=Path, help='write accuracy against compute as a picture')
    parser.add_argument('--json', type=Path, help='write the table as JSON')
    add_device(parser)
    args = parser.parse_args(argv)
    if args.metric not in args.evaluate:
        parser.error(f'--metric {args.metric} is not among --evaluate {" ".join(args.evaluate)}')
    names = [method.name for method in args.methods]
    if len(set(names)) < len(names):
        parser.error(f'two of the methods have one name: {" ".join(names)}')
    known = set(names)
    unknown = {name for _, pairs in args.effects for pair in pairs for name in pair} - known
    if unknown:
        parser.error(f'--effects has {sorted(unknown)}, which are not among the methods')
    return args


# ---------------------------------------------------------------------- cells


def clips_path(args: argparse.Namespace) -> Path:
    """Where the clips of the evaluation are kept: those of these lists, read in this way."""
    cfg = configure(args.methods[0], args.epochs, args)
    read = hashlib.sha256(repr(choose_pipeline(cfg)).encode())
    for name in ('meta.json', *(f'{split}.txt' for split in SPLITS)):
        path = args.data / name
        if not path.is_file():
            raise SystemExit(f'{args.data} is no data set of tools/data/make_demo_dataset.py')
        read.update(path.read_bytes())
    return (args.work_dir / f'{args.data.name}_{read.hexdigest()[:8]}.pt').resolve()


def write_clips(args: argparse.Namespace) -> None:
    """Reads the clips of the evaluation, unless that is done already."""
    path = clips_path(args)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with atomic_writer(path) as file:
            torch.save(read_clips(configure(args.methods[0], args.epochs, args), args.data), file)


def cell_path(method: Method, seed: int, epochs: int, args: argparse.Namespace) -> Path:
    """Where the result of a cell is kept; boards of either budget share it."""
    return args.results / args.data.name / f'{method.name}_{epochs}epochs_seed{seed}.json'


def lengths(method: Method, args: argparse.Namespace) -> list[list[dict]]:
    """The cells of a method that have what is compared, by epochs: also those of other boards."""
    name = re.compile(rf'{re.escape(method.name)}_([0-9]+)epochs_seed([0-9]+)\.json')
    found: dict[int, list[dict]] = {}
    for path in sorted((args.results / args.data.name).iterdir()):
        parts = name.fullmatch(path.name)
        if parts and int(parts[2]) < args.seeds:
            epochs, cell = int(parts[1]), json.loads(path.read_text())
            same = cell['digest'] == digest(method, epochs)
            if args.metric in cell['top1'] and same and not foreign(cell, method, epochs, args):
                found.setdefault(epochs, []).append(cell)
    return [found[epochs] for epochs in sorted(found)]


def work_path(method: Method, seed: int, epochs: int, args: argparse.Namespace) -> Path:
    """Where a cell is trained: another place for another config, other videos or teachers."""
    cell = cell_path(method, seed, epochs, args)
    parts = digest(method, epochs), *sources(method, epochs, args).values()
    version = hashlib.sha256(''.join(parts).encode()).hexdigest()[:8]
    return (args.work_dir / cell.parent.name / f'{cell.stem}_{version}').resolve()


def is_finished(method: Method, seed: int, epochs: int, args: argparse.Namespace) -> bool:
    """Whether a cell has all it will get: a later evaluation is added where its student still is.

    Raises:
        SystemExit: for a cell of another config, other videos or teachers, or one that cannot get
            what the board compares.
    """
    out = cell_path(method, seed, epochs, args)
    if not out.exists():
        return False
    found = json.loads(out.read_text())
    if found['digest'] != digest(method, epochs):
        raise SystemExit(
            f'{out} was trained by another config than {method.name} is now: give it another '
            'name, or remove the cells of that name'
        )
    if name := foreign(found, method, epochs, args):
        alone = ', or --teachers nowhere to print alone' if name == 'teachers' else ''
        raise SystemExit(f'{out} was trained with other {name}: name other --results{alone}')
    if (work_path(method, seed, epochs, args) / 'student.pth').exists():
        return set(args.evaluate) <= found['top1'].keys()
    if args.metric not in found['top1']:
        raise SystemExit(
            f'{out} has no {args.metric}, and its student is gone: name other --results'
        )
    return True


def prepare_cell(method: Method, seed: int, epochs: int, args: argparse.Namespace) -> list[str]:
    """Writes the config of a cell; returns the command that trains and evaluates it.

    Not in a thread: yapf, which lays out the config, is not made for several.
    """
    out = cell_path(method, seed, epochs, args)
    work = work_path(method, seed, epochs, args)
    work.mkdir(parents=True, exist_ok=True)
    cfg = configure(method, epochs, args)
    cfg.dump(work / 'config.py')
    note = dict(
        method=method.name,
        config=method.config,
        changes=method.changes,
        digest=digest(method, epochs),
        **sources(method, epochs, args),
        epochs=epochs,
        gflops_per_video=round(epoch_gflops(cfg), 4),
    )
    command = [
        *(sys.executable, '-W', 'ignore', 'benchmarks/board_cell.py', work / 'config.py'),
        *('--seed', seed, '--work-dir', work, '--out', out.resolve(), '--device', args.device),
        *('--clips', clips_path(args)),
        *('--note', json.dumps(note)),
        *('--evaluate', *args.evaluate),
    ]
    return list(map(str, command))


def run_cell(command: list[str]) -> None:
    """Trains and evaluates a cell."""
    threads = {'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    if subprocess.run(command, cwd=ROOT, env={**os.environ, **threads}).returncode:
        raise SystemExit(f'failed: {shlex.join(command)}')


def main(argv: list[str] | None = None) -> None:
    logging.disable(logging.INFO)
    args = parse_args(argv)
    # trainings run in the folder of the repository
    args.data, args.teachers = args.data.resolve(), args.teachers.resolve()
    for path in filter(None, (args.json, args.plot)):
        path.parent.mkdir(parents=True, exist_ok=True)
    for method in args.methods:
        require_epochs(method, args.epochs)
    configs = [configure(method, args.epochs, args) for method in args.methods]
    costs = [epoch_gflops(cfg) if args.budget == 'flops' else passes(cfg) for cfg in configs]
    epochs = [round(args.epochs * costs[0] / cost) for cost in costs]
    for method, length in zip(args.methods, epochs):
        require_epochs(method, length)
    commands = [
        prepare_cell(method, seed, length, args)
        for seed in range(args.seeds)
        for method, length in zip(args.methods, epochs, strict=True)
        if not is_finished(method, seed, length, args)
    ]
    if commands:
        write_clips(args)
    with ThreadPoolExecutor(args.jobs) as pool:
        list(tqdm(pool.map(run_cell, commands), total=len(commands)))
    results = {
        method.name: [
            json.loads(cell_path(method, seed, length, args).read_text())
            for seed in range(args.seeds)
        ]
        for method, length in zip(args.methods, epochs, strict=True)
    }
    rows = summarize(results, args.metric)
    print(as_markdown(rows, args.metric))
    if args.effects:
        print(f'\n{effects_as_markdown(results, dict(args.effects))}')
    if args.json:
        args.json.write_text(as_json(rows))
    if args.plot:
        plot({m.name: lengths(m, args) for m in args.methods}, args.plot, args.metric)


if __name__ == '__main__':
    main()
