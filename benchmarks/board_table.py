"""Statistics, table and picture of a leaderboard."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness import markdown
from scipy.stats import t as student_t

Results = Mapping[str, Sequence[Mapping]]
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


def gain(cells: Sequence[Mapping], base: Sequence[Mapping], metric: str) -> Estimate:
    """Difference of two methods, paired by seed."""
    other = {cell['seed']: cell['top1'][metric] for cell in base}
    return estimate([c['top1'][metric] - other[c['seed']] for c in cells if c['seed'] in other])


def as_markdown(results: Results, metric: str = 'linear') -> str:
    """The board: top-1 in %, and a metric's gain over the first method with its interval and p."""
    base = next(iter(results.values()))
    found = {metric for cells in results.values() for cell in cells for metric in cell['top1']}
    metrics = [name for name in METRICS if name in found]
    rows = []
    for method, cells in results.items():
        row = [method, cells[0]['epochs'], f'{cells[0]["gflops_per_video"]:.2f}', len(cells)]
        for name in metrics:
            values = [cell['top1'][name] for cell in cells if name in cell['top1']]
            row.append(_in_percent(estimate(values)) if values else '')
        if cells is base:
            row.append('')
        else:
            better = gain(cells, base, metric)
            row.append(f'{100 * better.mean:+.1f} ± {100 * better.half:.1f} (p {better.p:.2f})')
        rows.append(row)
    header = (
        'method',
        'epochs',
        'GFLOPs per video',
        'seeds',
        *(METRICS[m] for m in metrics),
        f'{METRICS[metric]}, gain',
    )
    return markdown(header, rows)


def _in_percent(found: Estimate) -> str:
    return f'{100 * found.mean:.1f} ± {100 * found.half:.1f}'


def plot(results: Results, path: Path) -> None:
    """Linear accuracy against compute: means with intervals, and each seed as a dash."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4.5), layout='constrained')
    beside = Counter()  # of methods that cost the same, next to each other
    for i, (name, cells) in enumerate(results.items()):
        values = [100 * cell['top1']['linear'] for cell in cells]
        mean = estimate(values)
        compute = cells[0]['gflops_per_video'] * cells[0]['epochs']
        place = compute * (1 + 0.002 * beside[round(compute, 1)])
        beside[round(compute, 1)] += 1
        shape = 'os'[i // 10 % 2]  # colours repeat
        axes.errorbar(place, mean.mean, mean.half, color=f'C{i}', fmt=shape, capsize=3, label=name)
        axes.plot([place] * len(values), values, '_', color=f'C{i}', alpha=0.6)
    axes.set_xlabel('GFLOPs per video of the data set, all epochs; equal ones side by side')
    axes.set_ylabel('top-1 of a linear probe, %')
    axes.grid(alpha=0.3)
    figure.legend(loc='outside right upper', fontsize=9)
    figure.savefig(path, dpi=110)
