"""What the benchmarks share: device, interleaved timing, the machine line, Markdown and JSON."""

import argparse
import json
import logging
import multiprocessing
import os
import platform
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch


def add_device(parser: argparse.ArgumentParser) -> None:
    """Gives a benchmark that makes training steps its ``--device``."""
    there = 'cuda' if torch.cuda.is_available() else 'cpu'
    parser.add_argument(
        '--device', type=_device, default=there, help='cpu or cuda (default here: %(default)s)'
    )


def _device(name: str) -> str:
    if name not in ('cpu', 'cuda'):
        raise argparse.ArgumentTypeError(f'{name!r} is neither cpu nor cuda')
    if name == 'cuda' and not torch.cuda.is_available():
        raise argparse.ArgumentTypeError('no GPU was found; see nvidia-smi and the build of torch')
    return name


def wait_for_device() -> None:
    """Returns when the GPU has done what it was told, which takes its time after the call."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def machine_line(device: str = 'cpu') -> str:
    """Processor, cores, threads, versions and commit: what a figure is worth without is little."""
    cpu = platform.processor() or platform.machine()
    if Path('/proc/cpuinfo').exists():
        names = [
            line.split(':', 1)[1].strip()
            for line in Path('/proc/cpuinfo').read_text().splitlines()
            if line.startswith('model name')
        ]
        cpu = names[0] if names else cpu
    commit = ''
    if shutil.which('git'):
        asked = ['git', 'rev-parse', '--short', 'HEAD']
        found = subprocess.run(asked, capture_output=True, text=True, cwd=Path(__file__).parent)
        commit = found.stdout.strip()
    gpu = f'{torch.cuda.get_device_name()}, ' if device == 'cuda' else ''
    return (
        f'{gpu}{cpu}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, '
        f'Python {platform.python_version()}, torch {torch.__version__}, commit {commit}'
    )


def add_cpu_time(parser: argparse.ArgumentParser) -> None:
    """Gives a benchmark ``--cpu-time``, for a machine that others use as well."""
    parser.add_argument(
        '--cpu-time',
        dest='clock',
        action='store_const',
        const=time.process_time,
        help='seconds of all cores that this process used, instead of those that passed',
    )


def interleave(
    cases: Mapping[str, Callable[[], object]],
    repeats: int,
    warmup: int = 1,
    clock: Callable[[], float] | None = None,
) -> dict[str, list[float]]:
    """Times the cases in turn, A B C A B C ..., so that a drifting machine hits all alike.

    Args:
        cases: name to what is timed.
        repeats: rounds that count.
        warmup: rounds that do not.
        clock: gives seconds; None: those that pass.

    Returns:
        Name to seconds of each round.
    """
    clock = clock or time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in cases}
    for round_ in range(warmup + repeats):
        for name, case in cases.items():
            wait_for_device()
            start = clock()
            case()
            wait_for_device()
            if round_ >= warmup:
                times[name].append(clock() - start)
    return times


def paired_ratio(times: Sequence[float], reference: Sequence[float]) -> float:
    """Median of the ratios of neighbouring runs."""
    return statistics.median(a / b for a, b in zip(times, reference))


def spread(times: Sequence[float]) -> str:
    """Shortest and longest, as text."""
    return f'{min(times):.2f}-{max(times):.2f}'


def product_rate(
    device: str = 'cpu',
    n: int = 3072,
    repeats: int = 3,
    dtype: torch.dtype = torch.float32,
    clock: Callable[[], float] | None = None,
) -> float:
    """GFLOP/s of a square matrix product: this machine's practical ceiling."""
    a, b = torch.randn(2, n, n, device=device, dtype=dtype)
    times = interleave({'': lambda: a @ b}, repeats, clock=clock)['']
    return 2 * n**3 / statistics.median(times) / 1e9


def peak_gib(device: str = 'cpu') -> float:
    """GiB at this process's peak so far: of resident memory (Linux), or of the GPU's tensors."""
    if device == 'cuda':
        return torch.cuda.max_memory_allocated() / 2**30
    # Not getrusage: a child inherits the peak of the process that it was forked from.
    return status_gib('VmHWM')


def resident_gib(device: str = 'cpu') -> float:
    """GiB now: of resident memory (Linux), or of the GPU's tensors."""
    if device == 'cuda':
        return torch.cuda.memory_allocated() / 2**30
    return status_gib('VmRSS')


def status_gib(name: str) -> float:
    """GiB of this process in a field of /proc/self/status, such as RssAnon (Linux)."""
    text = Path('/proc/self/status').read_text()
    return int(text.split(f'{name}:')[1].split()[0]) / 2**20


def free_port() -> int:
    """A port of this machine that no program listens on."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


def in_own_process(function: Callable, *args: object) -> object:
    """Result of a function of a module in a process that has only imported, for its memory."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['pmd_mmaction'])
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(_quietly, torch.get_num_threads(), function, args).result()


def _quietly(threads: int, function: Callable, args: tuple) -> object:
    logging.disable(logging.INFO)
    torch.set_num_threads(threads)
    return function(*args)


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ['| ' + ' | '.join(header) + ' |', '|' + ' --- |' * len(header)]
    lines += ['| ' + ' | '.join(str(cell) for cell in row) + ' |' for row in rows]
    return '\n'.join(lines)


def save_json(path: str | None, content: dict) -> None:
    """Writes the raw figures, if a path is given."""
    if path:
        Path(path).write_text(json.dumps(content, indent=1))
