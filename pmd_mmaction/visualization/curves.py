"""Training curves out of the Runner's ``scalars.json``."""

import itertools
import json
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

PANELS = {'base': 'base', 'pg': 'psd', 'df': 'dare', 'al': 'clfa'}


def read_scalars(paths: list[Path]) -> dict[str, dict[int, float]]:
    """Reads what LocalVisBackend wrote; later files (resumed runs) overwrite earlier steps.

    Args:
        paths: ``scalars.json`` files, oldest first.

    Returns:
        Log key to {step: value}.
    """
    scalars = defaultdict(dict)
    for path in paths:
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            for key, value in entry.items():
                if key != 'step' and isinstance(value, int | float):
                    scalars[key][entry['step']] = value
    return dict(scalars)


def plot_curves(scalars: dict[str, dict[int, float]]) -> Figure:
    """The four terms for both teachers over the iterations, with phases and learning rate.

    Args:
        scalars: result of :func:`read_scalars`.

    Returns:
        Figure with a panel per term and one for the learning rate.
    """
    figure, axes = plt.subplots(1, 5, figsize=(16, 3.2), layout='constrained')
    for axis, (key, title) in zip(axes, PANELS.items()):
        for teacher, style in (('img', '-'), ('vid', '--')):
            values = scalars.get(f'loss_{key}_{teacher}', {})
            if values:
                axis.plot(*zip(*sorted(values.items())), style, label=f'{teacher} teacher')
        axis.set_title(f'{title} (x lambda)')
    axes[-1].plot(*zip(*sorted(scalars.get('lr', {0: 0}).items())))
    axes[-1].set_title('learning rate')
    for axis in axes:
        axis.set_xlabel('iteration')
        _mark_phases(axis, scalars)
    axes[0].legend()
    return figure


HEALTH = {
    'explained variance': ('explained_', 'explained_place_'),
    'around the mean of a place': ('explained_place_', None),
    'rank of the features': ('feature_rank', None),
    'spread of the features': ('feature_spread', None),
    'pull of a term over base': ('term_norm_', None),
}


def plot_health(runs: dict[str, dict[str, dict[int, float]]]) -> Figure:
    """The numbers of ``HealthHook`` and ``TermBalanceHook``, of one run or several.

    Args:
        runs: name of a run to the result of :func:`read_scalars`.

    Returns:
        Figure with a panel per number, a colour per run and a line style per teacher or term.
    """
    figure, axes = plt.subplots(1, len(HEALTH), figsize=(17, 3.4), layout='constrained')
    for axis, (title, (prefix, but)) in zip(axes, HEALTH.items()):
        for colour, (run, scalars) in enumerate(runs.items()):
            base = scalars.get('term_norm_base', {}) if prefix == 'term_norm_' else {}
            keys = [k for k in scalars if k.startswith(prefix) and not (but and k.startswith(but))]
            styles = itertools.cycle(('-', '--', ':', '-.'))
            for key, style in zip(keys, styles):
                values = {
                    step: value / base[step] if base else value
                    for step, value in scalars[key].items()
                    if not base or base.get(step)
                }
                name = ' '.join((run if len(runs) > 1 else '', key.removeprefix(prefix))).strip()
                if values and key != 'term_norm_base':
                    points = zip(*sorted(values.items()))
                    axis.plot(*points, style, color=f'C{colour}', label=name or None, lw=1)
        axis.set_title(title)
        axis.set_xlabel('iteration')
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=7)
    if axes[-1].lines:
        axes[-1].set_yscale('log')
    return figure


def _mark_phases(axis, scalars: dict[str, dict[int, float]]) -> None:
    """A vertical line at the last step logged with each mask ratio."""
    ratios = sorted(scalars.get('mask_ratio', {}).items())
    for (step, before), (_, ratio) in itertools.pairwise(ratios):
        if ratio != before:
            axis.axvline(step, color='grey', lw=0.8, ls=':')
