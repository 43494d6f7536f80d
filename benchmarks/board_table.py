"""Statistics, table and picture of a leaderboard."""

import itertools
import json
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness import markdown
from scipy.stats import t as student_t

Cells = Sequence[Mapping]
Results = Mapping[str, Cells]
METRICS = dict(
    knn='kNN',
    linear='linear',
    linear_few='linear, 10 labels',
    attentive='attentive',
    finetune='fine-tuned',
    finetune_few='fine-tuned, 10 labels',
)


class Estimate(NamedTuple):
    """A mean with the half width of its 95 % interval (Student's t; NaN for one value).

    Attributes:
        mean: of the values.
        half: half width.
        p: two-sided probability of a mean so far from 0 if it were 0.
    """

    mean: float
    half: float
    p: float


def estimate(values: Sequence[float]) -> Estimate:
    """Mean, interval and one-sample t-test against 0."""
    mean, n = statistics.mean(values), len(values)
    if n < 2:
        return Estimate(mean, math.nan, math.nan)
    error = statistics.stdev(values) / n**0.5
    if not error:
        return Estimate(mean, 0.0, float(mean == 0))
    p = 2 * student_t.sf(abs(mean) / error, n - 1)
    return Estimate(mean, student_t.ppf(0.975, n - 1) * error, float(p))


Pairs = Sequence[tuple[Sequence[Mapping], Sequence[Mapping]]]


def effect(pairs: Pairs, metric: str) -> Estimate:
    """Difference within pairs of methods, paired by seed: of each seed the mean over the pairs."""
    columns = [{cell['seed']: cell['top1'][metric] for cell in cells} for p in pairs for cells in p]
    seeds = sorted(set.intersection(*map(set, columns)))
    gains = [[column[seed] for column in columns] for seed in seeds]
    return estimate([statistics.mean(g[::2]) - statistics.mean(g[1::2]) for g in gains])


class Row(NamedTuple):
    """A method of the board.

    Attributes:
        method: its name.
        epochs: of its training.
        gflops_per_video: of an epoch.
        seeds: how many.
        top1: metric to its estimate.
        gain: over the first method, in the metric asked for; None for that method.
        seeds_for_2_points: how many give a 95 % interval of 2 points on each side, as the pairs
            scatter (a true gain of 2 points is then found about every second time).
    """

    method: str
    epochs: int
    gflops_per_video: float
    seeds: int
    top1: dict[str, Estimate]
    gain: Estimate | None
    seeds_for_2_points: int | None


def summarize(results: Results, metric: str = 'linear') -> list[Row]:
    """The rows of the board, compared in one metric; a row has what all its cells have."""
    base = next(iter(results.values()))
    rows = []
    for method, cells in results.items():
        known = [name for name in METRICS if all(name in cell['top1'] for cell in cells)]
        top1 = {name: estimate([cell['top1'][name] for cell in cells]) for name in known}
        better = None if cells is base else effect([(cells, base)], metric)
        needed = better and seeds_for(0.02, better.half, len(cells))
        epochs, gflops = cells[0]['epochs'], cells[0]['gflops_per_video']
        rows.append(Row(method, epochs, gflops, len(cells), top1, better, needed))
    return rows


def seeds_for(half: float, found: float, n: int) -> int | None:
    """Seeds whose 95 % interval has a half width, if that of ``n`` seeds was ``found``."""
    if math.isnan(found):
        return None
    deviation = found / student_t.ppf(0.975, n - 1) * n**0.5
    return next(
        m for m in itertools.count(2) if student_t.ppf(0.975, m - 1) * deviation / m**0.5 <= half
    )


def as_markdown(rows: Sequence[Row], metric: str = 'linear') -> str:
    """The board: top-1 in %, and the gain over the first method with its interval and p."""
    metrics = [name for name in METRICS if any(name in row.top1 for row in rows)]
    lines = []
    for row in rows:
        line = [row.method, row.epochs, f'{row.gflops_per_video:.2f}', row.seeds]
        line += [_in_percent(row.top1[name]) if name in row.top1 else '' for name in metrics]
        gained = ('', '')
        if row.gain is not None:
            gained = _gained(row.gain), row.seeds_for_2_points
        lines.append([*line, *gained])
    header = (
        *('method', 'epochs', 'GFLOPs per video', 'seeds'),
        *(METRICS[name] for name in metrics),
        *(f'{METRICS[metric]}, gain', 'seeds for ± 2'),
    )
    return markdown(header, lines)


def effects_as_markdown(results: Results, effects: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Effects by name, in points, in every metric that all cells have."""
    cells = [cell for method in results.values() for cell in method]
    metrics = [name for name in METRICS if all(name in cell['top1'] for cell in cells)]
    rows = []
    for name, pairs in effects.items():
        compared = [(results[one], results[other]) for one, other in pairs]
        found = [effect(compared, metric) for metric in metrics]
        rows.append([name, *(_gained(estimate) for estimate in found)])
    return markdown(('effect', *(METRICS[name] for name in metrics)), rows)


def as_json(rows: Sequence[Row]) -> str:
    """The board as a list of rows; what one seed cannot tell is null."""

    def plain(value: object) -> object:
        if isinstance(value, float):
            return None if math.isnan(value) else value
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items()}
        return plain(value._asdict()) if isinstance(value, tuple) else value

    return json.dumps([plain(row) for row in rows], indent=1) + '\n'


def _in_percent(found: Estimate) -> str:
    return f'{100 * found.mean:.1f} ± {100 * found.half:.1f}'


def _gained(found: Estimate) -> str:
    return f'{100 * found.mean:+.1f} ± {100 * found.half:.1f} (p {found.p:.2g})'


def plot(lengths: Mapping[str, Sequence[Cells]], path: Path, metric: str = 'linear') -> None:
    """Accuracy against compute: means with intervals, and each seed as a dash.

    Args:
        lengths: for each method its cells by length of the training, joined by a line.
        path: of the picture.
        metric: what to draw.
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4.5), layout='constrained')
    beside = Counter()  # of methods that cost the same, next to each other
    for i, (name, runs) in enumerate(lengths.items()):
        places, means = [], []
        for cells in runs:
            values = [100 * cell['top1'][metric] for cell in cells]
            means.append(estimate(values))
            compute = cells[0]['gflops_per_video'] * cells[0]['epochs']
            places.append(compute * (1 + 0.012 * beside[round(compute)]))
            beside[round(compute)] += 1
            axes.plot([places[-1]] * len(values), values, '_', color=f'C{i}', alpha=0.6)
        centre, half = zip(*((mean.mean, mean.half) for mean in means))
        style = dict(color=f'C{i}', fmt=f'{"os"[i // 10 % 2]}-', lw=1)  # colours repeat
        axes.errorbar(places, centre, half, capsize=3, label=name, **style)
    axes.set_xlabel('GFLOPs per video of the data set, all epochs; equal ones side by side')
    axes.set_ylabel(f'top-1, {METRICS[metric]}, %')
    axes.grid(alpha=0.3)
    figure.legend(loc='outside right upper', fontsize=9)
    figure.savefig(path, dpi=110)
