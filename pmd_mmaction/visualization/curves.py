"""Training curves out of the Runner's ``scalars.json``."""

import itertools
from typing import Sequence

import numpy as np
from matplotlib.figure import Figure

from pmd_mmaction.visualization.scalars import Scalars

TITLES = {'pg': 'psd', 'df': 'dare', 'al': 'clfa'}  # PMD's terms, as the paper calls them
STYLES = ('-', '--', ':', '-.')


def plot_curves(scalars: Scalars, teachers: Sequence[str] = ()) -> Figure:
    """The terms for each teacher over the iterations, with phases and learning rate.

    Args:
        scalars: result of :func:`read_scalars`.
        teachers: their names in the log, ``loss_<term>_<teacher>``; a key that ends with none of
            them is a term by itself.

    Returns:
        Figure with a panel per term and one for the learning rate.
    """
    terms = _terms(scalars, teachers)
    count = len(terms) + 1
    figure = Figure(figsize=(3.2 * count, 3.2), layout='constrained')
    axes = figure.subplots(1, count, squeeze=False)[0]
    for axis, (term, curves) in zip(axes, terms.items()):
        for (teacher, values), style in zip(curves.items(), itertools.cycle(STYLES)):
            label = f'{teacher} teacher' if teacher else None
            axis.plot(*zip(*sorted(values.items())), style, label=label)
        axis.set_title(f'{TITLES.get(term, term)} (x lambda)')
        if any(curves):
            axis.legend()
    axes[-1].plot(*zip(*sorted(scalars.get('lr', {0: 0}).items())))
    axes[-1].set_title('learning rate')
    for axis in axes:
        axis.set_xlabel('iteration')
        _mark_phases(axis, scalars)
    return figure


def plot_balance(scalars: Scalars, teachers: Sequence[str] = ()) -> Figure:
    """Share of each term in the sum of the losses over the iterations.

    Args:
        scalars: result of :func:`read_scalars`, with a ``loss_...`` at the least.
        teachers: as in :func:`plot_curves`.

    Returns:
        Figure with one panel.
    """
    losses = {
        f'{TITLES.get(term, term)} {teacher}'.strip(): values
        for term, curves in _terms(scalars, teachers).items()
        for teacher, values in curves.items()
    }
    steps = sorted(set.union(*map(set, losses.values())))
    rows = np.array([[values.get(step, 0) for step in steps] for values in losses.values()])
    rows = np.abs(np.nan_to_num(rows, nan=0, posinf=0, neginf=0))
    figure = Figure(figsize=(8, 3), layout='constrained')
    axis = figure.subplots()
    axis.stackplot(steps, rows / np.maximum(rows.sum(0), 1e-12), labels=list(losses))
    axis.set(ylim=(0, 1), xlabel='iteration', ylabel='share of the loss')
    axis.legend(loc='center left', bbox_to_anchor=(1, 0.5))
    _mark_phases(axis, scalars)
    return figure


def _terms(scalars: Scalars, teachers: Sequence[str]) -> dict[str, Scalars]:
    """Term to teacher ('' for none) to its curve, in the order of the log."""
    terms: dict[str, Scalars] = {}
    for key, values in scalars.items():
        if not key.startswith('loss_'):
            continue
        term = key.removeprefix('loss_')
        teacher = next((name for name in teachers if term.endswith(f'_{name}')), '')
        terms.setdefault(term.removesuffix(f'_{teacher}'), {})[teacher] = values
    return terms


PULL, HELD_OUT = 'pull of a term over base', 'explained share, held-out clips'
EXPLAINED = 'explained share of the targets'
HEALTH = {
    EXPLAINED: 'explained_',
    'the same, around the mean of a place': 'explained_place_',
    'rank of the features': 'feature_rank',
    'spread of the features': 'feature_spread',
    PULL: 'term_norm_',
    HELD_OUT: 'held_out_explained_',
}


def plot_health(runs: dict[str, Scalars]) -> Figure:
    """The numbers of ``HealthHook`` and ``TermBalanceHook``, of one run or several.

    Args:
        runs: name of a run to the result of :func:`read_scalars`.

    Returns:
        Figure with a panel per number, a colour per run and a line style per teacher or term.
    """
    figure = Figure(figsize=(12, 6.4), layout='constrained')
    axes = dict(zip(HEALTH, figure.subplots(2, 3).flat))
    for title, prefix in HEALTH.items():
        axis = axes[title]
        for colour, (run, scalars) in enumerate(runs.items()):
            curves = _health_curves(scalars, prefix)
            for (name, values), style in zip(curves.items(), itertools.cycle(STYLES)):
                label = ' '.join(filter(None, (run if len(runs) > 1 else '', name)))
                points = zip(*sorted(values.items()))
                axis.plot(*points, style, color=f'C{colour}', label=label or None, lw=1)
            if len(runs) == 1 and title != HELD_OUT:
                _mark_phases(axis, scalars)
        # MMEngine logs what belongs to a validation by its epoch
        axis.set(title=title, xlabel='epoch' if title == HELD_OUT else 'iteration')
        # The first steps are far below 0, which is a prediction of the mean.
        if 'explained' in prefix and axis.lines:
            axis.set_ylim(-1, 1)
        labels = axis.get_legend_handles_labels()
        if not axis.lines:
            axis.remove()
            axes.pop(title)
        elif labels[0] and len(runs) == 1:
            axis.legend(fontsize=8)
        elif title == EXPLAINED:  # the same colours and styles in the other panels
            figure.legend(*labels, loc='outside lower center', ncols=5, fontsize=8)
    if PULL in axes:
        axes[PULL].set_yscale('log')
        if len(runs) > 1:
            # beside the panel, where nothing else is drawn
            beside = {} if HELD_OUT in axes else dict(loc='upper left', bbox_to_anchor=(1.02, 1))
            axes[PULL].legend(fontsize=8, **beside).set_in_layout(False)
    return figure


def _health_curves(scalars: Scalars, prefix: str) -> Scalars:
    """Teacher or term to its curve; norms of terms are those over base's, or the first term's."""
    longer = [other for other in HEALTH.values() if other != prefix and other.startswith(prefix)]
    curves = {
        key.removeprefix(prefix): values
        for key, values in scalars.items()
        if key.startswith(prefix) and not key.startswith(tuple(longer))
    }
    if prefix != 'term_norm_':
        return curves
    first = 'base' if 'base' in curves else next(iter(curves), None)
    reference = curves.pop(first, {})
    over = '' if first == 'base' else f' over {first}'
    ratios = {
        f'{TITLES.get(term, term)}{over}': {
            # PSD has no gradient when a phase begins, and 0 no place on a logarithmic axis
            step: v / reference[step]
            for step, v in values.items()
            if v and reference.get(step)
        }
        for term, values in curves.items()
    }
    return {term: values for term, values in ratios.items() if values}


def _mark_phases(axis, scalars: Scalars) -> None:
    """A vertical line at the last step logged with each mask ratio."""
    ratios = sorted(scalars.get('mask_ratio', {}).items())
    for (step, before), (_, ratio) in itertools.pairwise(ratios):
        if ratio != before:
            axis.axvline(step, color='grey', lw=0.8, ls=':')
