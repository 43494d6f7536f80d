"""What the benchmarks share: interleaved timing, the machine line, Markdown and JSON."""

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch


def machine_line() -> str:
    """Processor, cores, threads, versions and commit: what a figure is worth without is little."""
    cpu = platform.processor() or platform.machine()
    if Path('/proc/cpuinfo').exists():
        names = [
            line.split(':', 1)[1].strip()
            for line in Path('/proc/cpuinfo').read_text().splitlines()
            if line.startswith('model name')
        ]
        cpu = names[0] if names else cpu
    commit = subprocess.run(
        ['git', 'rev-parse', '--short', 'HEAD'],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    ).stdout.strip()
    return (
        f'{cpu}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, '
        f'Python {platform.python_version()}, torch {torch.__version__}, commit {commit}'
    )


def interleave(
    cases: Mapping[str, Callable[[], object]], repeats: int, warmup: int = 1
) -> dict[str, list[float]]:
    """Times the cases in turn, A B C A B C ..., so that a drifting machine hits all alike.

    Args:
        cases: name to what is timed.
        repeats: rounds that count.
        warmup: rounds that do not.

    Returns:
        Name to seconds of each round.
    """
    times: dict[str, list[float]] = {name: [] for name in cases}
    for round_ in range(warmup + repeats):
        for name, case in cases.items():
            start = time.perf_counter()
            case()
            if round_ >= warmup:
                times[name].append(time.perf_counter() - start)
    return times


def paired_ratio(times: Sequence[float], reference: Sequence[float]) -> float:
    """Median of the ratios of neighbouring runs."""
    return statistics.median(a / b for a, b in zip(times, reference))


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ['| ' + ' | '.join(header) + ' |', '|' + ' --- |' * len(header)]
    lines += ['| ' + ' | '.join(str(cell) for cell in row) + ' |' for row in rows]
    return '\n'.join(lines)


def save_json(path: str | None, content: dict) -> None:
    """Writes the raw figures, if a path is given."""
    if path:
        Path(path).write_text(json.dumps(content, indent=1))
