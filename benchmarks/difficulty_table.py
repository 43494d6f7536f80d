"""The difficulty table at the size of Kinetics-400, and with 10 million videos.

    python benchmarks/difficulty_table.py --scratch-dir /dev/shm --save-dir work_dirs

One process plays one rank. An iteration reads the rows of its clips, packs their new losses and
writes its share of the rows of all ranks. First visits hit pages that were never touched; later
visits hit pages that exist, but that saving has unmapped from the process.
"""

import argparse
import hashlib
import mmap
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from harness import machine_line, markdown, save_json, status_gib

from pmd_mmaction.dare import DifficultyTable, TableLayout, infinite_rows, pack_rows, table_file
from pmd_mmaction.dare.scratch_file import HEADER_BYTES
from pmd_mmaction.dare.table import CHUNK_BYTES

TEACHERS, PATCHES, MASKED = 2, 1568, 1408  # ViT-B, 16 x 224 x 224, mask ratio 0.9
STEP_SECONDS = 0.183  # yardstick: 64 clips at 350 a second on one GPU (docs/scaling.md)


class PeakMemory:
    """Watches the private memory in GiB while something runs."""

    def __enter__(self) -> 'PeakMemory':
        self.before = self.peak = status_gib('RssAnon')
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self.peak = max(self.peak, status_gib('RssAnon'))

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def sparse_table(path: Path, videos: int) -> DifficultyTable:
    """A table whose space is not reserved: only the rows that are touched exist."""
    layout = TableLayout(videos, TEACHERS, PATCHES)
    with open(path, 'w+b') as file:
        file.truncate(HEADER_BYTES + layout.nbytes)
        table = DifficultyTable(layout, mmap.mmap(file.fileno(), 0), path=path)
    table.unlink()
    return table


def iterate(
    table: DifficultyTable, iterations: int, batch: int, ranks: int, sharers: int, seed: int = 0
) -> dict[str, list[float]]:
    """Seconds of reading, packing and writing in each iteration of a part of an epoch.

    Args:
        table: The table.
        iterations: How many; they start again at the first video when all were shown.
        batch: Clips per rank.
        ranks: Their rows arrive; this process reads those of one rank.
        sharers: Ranks of the node; this process writes the rows of one of them.
        seed: Of the order of the videos and of the masks.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(table.shape[0], generator=generator)
    masked = torch.rand(batch, PATCHES, generator=generator).argsort(1)[:, :MASKED]
    times: dict[str, list[float]] = dict(read=[], pack=[], write=[])
    for i in range(iterations):
        start = i * ranks * batch % (len(order) - ranks * batch)
        videos = order[start : start + ranks * batch]
        smoothed = torch.rand(batch, TEACHERS, MASKED, generator=generator)
        marks = [time.perf_counter()]
        table.read(videos[:batch])
        marks.append(time.perf_counter())
        rows = pack_rows(masked, smoothed, table.layout)
        infinite_rows(rows).any()
        marks.append(time.perf_counter())
        rows = rows.repeat(ranks, 1, 1)  # stands for the gather; not timed
        marks[-1:] = [marks[-1], time.perf_counter()]
        table.write_rows(videos, rows, 0, sharers)
        marks.append(time.perf_counter())
        for name, begin, end in (('read', 0, 1), ('pack', 1, 2), ('write', 3, 4)):
            times[name].append(marks[end] - marks[begin])
    return times


def summary(name: str, times: dict[str, list[float]]) -> list[str]:
    """A line of the table of iterations, in milliseconds."""
    total = [sum(parts) for parts in zip(*times.values())]
    cells = [f'{1e3 * statistics.median(part):.2f}' for part in (*times.values(), total)]
    p95, median = np.quantile(total, 0.95), statistics.median(total)
    return [name, *cells, f'{1e3 * p95:.2f}', f'{100 * median / STEP_SECONDS:.2f}']


def drop_cache(path: Path) -> None:
    """Makes the next read come from the disk."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def raw_write(table: DifficultyTable, path: Path) -> None:
    """What the disk can do: the same bytes, written and flushed, and nothing else."""
    with open(path, 'wb') as file:
        for chunk in table.chunks():
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def raw_read(path: Path) -> None:
    """Reads a file into one buffer."""
    buffer = bytearray(CHUNK_BYTES)
    with open(path, 'rb') as file:
        while file.readinto(buffer):
            pass


def digest(table: DifficultyTable) -> str:
    """SHA-256 of the table's bytes."""
    sha = hashlib.sha256()
    for chunk in table.chunks():
        sha.update(chunk)
    return sha.hexdigest()


def file_stages(table: DifficultyTable, directory: Path) -> list[list[str]]:
    """Stage end, save, reset, load and verify, beside the raw speed of disk and hash."""
    path, raw = directory / 'difficulty.table', directory / 'raw'
    rows, content = [], {}

    def timed(name: str, action: Callable[[], object], gigabytes: float = table.nbytes / 1e9):
        with PeakMemory() as memory:
            start = time.perf_counter()
            content[name] = action()
            seconds = time.perf_counter() - start
        extra = (memory.peak - memory.before) * 2**30 / 1e6
        rows.append([name, f'{seconds:.2f}', f'{gigabytes / seconds:.2f}', f'{extra:.0f}'])

    timed('stage end', table.end_stage, table.nbytes / 2e9)
    timed('SHA-256 alone', lambda: digest(table))
    timed('disk: write and flush alone', lambda: raw_write(table, raw))
    raw.unlink()
    os.sync()
    timed('save', lambda: table_file.save(table, path, {}))
    os.sync()
    timed('reset', table.reset)
    drop_cache(path)
    timed('disk: read alone', lambda: raw_read(path))
    drop_cache(path)
    timed('load (reads twice)', lambda: table_file.load(table, path, content['save']))
    if digest(table) != content['SHA-256 alone']:
        raise RuntimeError('the loaded table is not the saved one')
    return rows


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--videos', type=int, default=240_000)
    parser.add_argument('--many-videos', type=int, default=10_000_000, help='of the sparse table')
    parser.add_argument('--iterations', type=int, default=1000)
    parser.add_argument('--batch', type=int, default=64, help='clips per rank')
    parser.add_argument('--scratch-dir', default='/dev/shm', help='where the table is mapped')
    parser.add_argument('--save-dir', default='.', help='on the disk that is to be measured')
    parser.add_argument('--json', help='write the raw figures here')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    torch.set_num_threads(1)
    scratch = Path(tempfile.mkdtemp(prefix='pmd-benchmark-', dir=args.scratch_dir))
    cases: dict[str, dict[str, list[float]]] = {}
    try:
        start, before = time.perf_counter(), status_gib('RssAnon')
        table = DifficultyTable.create(scratch / 'k400', args.videos, TEACHERS, PATCHES)
        table.unlink()
        created = time.perf_counter() - start
        size = (args.iterations, args.batch)
        with PeakMemory() as memory:
            cases['1 rank, first visit'] = iterate(table, *size, 1, 1)
        with tempfile.TemporaryDirectory(dir=args.save_dir) as directory:
            stages = file_stages(table, Path(directory))
        cases['1 rank, later visit'] = iterate(table, *size, 1, 1)
        # In each case 64 rows are read; what is written is this rank's share of all rows.
        for ranks, sharers in ((8, 1), (8, 8), (64, 8), (512, 8)):
            few = min(args.iterations, args.videos // (ranks * args.batch) - 1)  # an epoch
            if few < 1:
                continue
            name = f'{ranks} ranks, {f"{sharers} share a table" if sharers > 1 else "none shares"}'
            cases[name] = iterate(table, few, args.batch, ranks, sharers)
        del table
        many = sparse_table(scratch / 'many', args.many_videos)
        cases[f'{args.many_videos:,} videos, 1 rank, first visit'] = iterate(many, *size, 1, 1)
    finally:
        scratch.rmdir()
    grown = (memory.peak - before) * 2**30 / 1e6
    gigabytes = TableLayout(args.videos, TEACHERS, PATCHES).nbytes / 1e9
    print(machine_line())
    print(
        f'\n{args.videos:,} videos x {TEACHERS} teachers x {PATCHES} patches, float16, both arrays '
        f'{gigabytes:.2f} GB, created in {created:.2f} s; {args.iterations} iterations of '
        f'{args.batch} clips; private memory grew by {grown:.0f} MB\n'
    )
    header = ('case', 'read ms', 'pack ms', 'write ms', 'sum ms', 'sum p95 ms', '% of 183 ms')
    print(markdown(header, [summary(name, times) for name, times in cases.items()]), '\n')
    print(markdown(('whole table', 's', 'GB/s', 'private memory, MB more'), stages))
    save_json(args.json, dict(machine=machine_line(), cases=cases, stages=stages))


if __name__ == '__main__':
    main()
