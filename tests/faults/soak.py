"""A small run of many epochs that must not grow: memory, files, threads, processes.

    python tests/faults/soak.py --epochs 200

The demo's curriculum in small, four mask ratios, in phases of five epochs: stages, promotions, a
checkpoint after every epoch, validation at the end of every phase. It runs twice, with workers
that stay and with workers that are started anew for each epoch, each time in a process of its own.
Prints a table, and ends with 1 if anything grows beyond its bound.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.integration import processes, tiny  # noqa: E402

RATIOS, PHASE_EPOCHS = (0.75, 0.80, 0.85, 0.90), 5
MIB = 2**20
# What is sampled, and by how much the median of the last fifth of the epochs may exceed that of
# the first. Memory gets a margin for the allocator; what is counted gets none. A worker's memory is
# its resident set: pages that it shares with the main process count as its own from the start, for
# they become its own little by little, whenever it counts a reference to an object in them.
BOUNDS = {
    'memory of the main process, MiB': 8.0,
    'memory of the largest worker, MiB': 8.0,
    'shared memory, MiB': 0.5,
    'open files': 0,
    'threads': 0,
    'processes': 0,
    'temporary files': 0,
    'files in the work directory': 0,
    'checkpoint, MiB': 0.02,
}


def sample(work_dir: Path, temporary: Path) -> dict[str, float]:
    """What this process and its children hold now."""
    main = psutil.Process()
    children = main.children(recursive=True)
    family = [main, *children]
    checkpoints = sorted(work_dir.glob('epoch_*.pth'), key=os.path.getmtime)
    kept = [path for path in work_dir.iterdir() if not path.name.startswith('phase_')]
    values = (
        main.memory_info().rss / MIB,
        max(worker.memory_info().rss for worker in children) / MIB,
        sum(shared_memory(process.pid) for process in family) / MIB,
        sum(process.num_fds() for process in family),
        sum(process.num_threads() for process in family),
        len(family),
        sum(len(files) for _, _, files in os.walk(temporary)),
        len(kept),
        checkpoints[-1].stat().st_size / MIB,
    )
    return dict(zip(BOUNDS, values, strict=True))


def shared_memory(pid: int) -> int:
    """Bytes of shared memory that a process holds, each shared page counted in parts."""
    text = Path(f'/proc/{pid}/smaps_rollup').read_text()
    return 1024 * int(text.split('Pss_Shmem:')[1].split()[0])


@HOOKS.register_module(force=True)
class Sample(Hook):
    """Notes a sample in the last iteration of each epoch from the second: workers still live.

    Args:
        out: the file for the samples, one line of JSON each.
    """

    priority = 'LOWEST'

    def __init__(self, out: str) -> None:
        self.out = Path(out)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.epoch > 0 and self.end_of_epoch(runner.train_dataloader, batch_idx):
            row = sample(Path(runner.work_dir), Path(tempfile.gettempdir()))
            with self.out.open('a') as file:
                file.write(json.dumps(row) + '\n')


def train(clips: Path, place: Path, epochs: int, persistent: bool) -> None:
    """One run, its temporary files in a directory of its own."""
    temporary = place / 'temporary'
    temporary.mkdir(parents=True)
    os.environ['TMPDIR'] = tempfile.tempdir = str(temporary)
    phases = epochs // PHASE_EPOCHS
    cfg = tiny.tiny_config(
        clips,
        place / 'run',
        dict(type='Sample', out=str(place / 'samples.jsonl')),
        ratios=[RATIOS[len(RATIOS) * k // phases] for k in range(phases)],
        epochs=PHASE_EPOCHS,
        train_dataloader__num_workers=2,
        train_dataloader__persistent_workers=persistent,
    )
    tiny.validate_frozen(cfg, clips, interval=PHASE_EPOCHS)
    cfg.val_dataloader.update(num_workers=1, persistent_workers=persistent)
    tiny.train(cfg)


def growth(rows: list[dict[str, float]]) -> dict[str, tuple[float, float, float]]:
    """Medians of the first and of the last fifth, and the slope of a line per 100 epochs."""
    fifth = max(1, len(rows) // 5)
    found = {}
    for name in BOUNDS:
        values = [row[name] for row in rows]
        slope = np.polyfit(np.arange(len(values)), values, 1)[0] * 100
        ends = statistics.median(values[:fifth]), statistics.median(values[-fifth:])
        found[name] = (*ends, float(slope))
    return found


def report(title: str, rows: list[dict[str, float]]) -> bool:
    """Prints the table of a run; says whether all stayed within their bounds."""
    print(f'\n{title}: {len(rows)} epochs sampled\n')
    print('| what | first fifth | last fifth | slope per 100 epochs | bound | |')
    print('| --- | --- | --- | --- | --- | --- |')
    passed = True
    for name, (first, last, slope) in growth(rows).items():
        within = last - first <= BOUNDS[name]
        passed &= within
        verdict = 'ok' if within else 'GROWS'
        print(f'| {name} | {first:.6g} | {last:.6g} | {slope:+.3f} | {BOUNDS[name]} | {verdict} |')
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--epochs', type=int, default=200, help='at least 20')
    args = parser.parse_args()
    if args.epochs < len(RATIOS) * PHASE_EPOCHS:
        parser.error(f'--epochs {args.epochs}: the four ratios need {len(RATIOS) * PHASE_EPOCHS}')
    passed = True
    with tempfile.TemporaryDirectory() as name:
        clips = tiny.make_clips(Path(name) / 'clips')
        for persistent in (True, False):
            title = f'workers {"stay" if persistent else "are started anew"}'
            place = Path(name) / f'persistent_{persistent}'
            arguments = clips, place, args.epochs, persistent
            processes.run(train, Path(name) / 'log', *arguments, timeout=None)
            lines = (place / 'samples.jsonl').read_text().splitlines()
            passed &= report(title, [json.loads(line) for line in lines])
    return int(not passed)


if __name__ == '__main__':
    sys.exit(main())
