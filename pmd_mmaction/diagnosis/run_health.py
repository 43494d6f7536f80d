"""What the scalars of a pre-training run say about its health."""

import math
from collections.abc import Mapping

from numpy.lib.stride_tricks import sliding_window_view

from pmd_mmaction.diagnosis.finding import Finding
from pmd_mmaction.hooks.nonfinite.non_finite_hook import FINE_SHARE
from pmd_mmaction.hooks.term_balance_hook import TOO_HEAVY

Scalars = Mapping[str, Mapping[int, float]]

# Bounds of the verdicts; docs/healthy_run.md shows runs on both sides of them.
MIN_RANK = 1.5
MIN_SPREAD = 0.02
MIN_EXPLAINED = 0.02
MIN_MEAN = -0.5  # of the explained variance: below it a run is not even at the mean
MAX_FALL = 0.1  # of the explained variance, or of a frozen accuracy, below its best
LEAST = 10  # logged values in such a mean: single ones scatter by 0.15 in a small batch
MAX_WAIT = 0.2  # share of the time
MAX_GAP = 0.2  # of the explained variance, from the training clips to those held out


def judge_run(scalars: Scalars) -> list[Finding]:
    """The verdicts that a run deserves; "healthy" if the network has nothing wrong.

    The end of a run is the mean of the last fifth of what was logged.

    Args:
        scalars: log key to {iteration: value}.

    Returns:
        Findings whose subject is the verdict.
    """
    diverged, scalars = _diverged(scalars), _finite(scalars)
    # What has diverged or collapsed explains nothing either: that is not a separate problem.
    broken = diverged or [*_too_high_rate(scalars), *_collapse(scalars)]
    found = [*(broken or _plateau(scalars)), *_overfit(scalars), *_imbalance(scalars)]
    if not found and _explained(scalars):
        ends = ', '.join(f'{key} {_end(values):.2f}' for key, values in _explained(scalars).items())
        found = [Finding('healthy', 'ok', ends)]
    elif not found:
        text = 'there is no explained_<teacher> in its log'
        found = [Finding('unknown', 'warning', text, 'add HealthHook to its config')]
    return [*found, *_late_data(scalars)]


def _diverged(scalars: Scalars) -> list[Finding]:
    """Values that are not finite throughout the end of the run."""
    for key, values in {**_explained(scalars), 'loss': scalars.get('loss', {})}.items():
        ordered = [value for _, value in sorted(values.items())]
        if ordered and not any(map(math.isfinite, ordered[-max(1, len(ordered) // 5) :])):
            remedy = 'lower the learning rate; go on from a checkpoint before it, or start afresh'
            return [Finding('diverged', 'error', f'{key} is {ordered[-1]} at the end', remedy)]
    return []


def _finite(scalars: Scalars) -> Scalars:
    """The values that are finite; rank and spread of equal features are not, and count as 0."""
    found = {}
    for key, values in scalars.items():
        if key in ('feature_rank', 'feature_spread'):
            values = {
                step: value if math.isfinite(value) else 0.0 for step, value in values.items()
            }
        found[key] = {step: value for step, value in values.items() if math.isfinite(value)}
    return {key: values for key, values in found.items() if values}


def _too_high_rate(scalars: Scalars) -> list[Finding]:
    remedy = 'lower the learning rate, lengthen the warm-up or set optim_wrapper.clip_grad'
    skipped, sought = (
        max(scalars.get(key, {}).values(), default=0) for key in ('skipped_steps', 'scale_steps')
    )
    total, last = skipped - sought, max(map(max, scalars.values()), default=0)
    if total > FINE_SHARE * last:
        text = f'{total:.0f} of {last} steps were skipped, {total / last:.1%}'
        return [Finding('rate too high', 'error', text, remedy)]
    for key, values in _explained(scalars, since=_last_phase(scalars)).items():
        means = _smooth(values, LEAST)
        best, end = max(means), means[-1]
        # Below 0, where a run begins, the error scatters in proportion to itself.
        if end < best - MAX_FALL * max(1, 1 - best):
            text = f'{key} fell from {best:.2f} to {end:.2f}'
            return [Finding('rate too high', 'error', text, remedy)]
    return []


def _collapse(scalars: Scalars) -> list[Finding]:
    remedy = 'lower the learning rate; look at term_norm_* of the terms and the target norm'
    for key, least, meaning in (
        ('feature_rank', MIN_RANK, 'clips differ along hardly more than one line'),
        ('feature_spread', MIN_SPREAD, 'all clips have nearly the same feature'),
    ):
        if scalars.get(key) and _end(scalars[key]) < least:
            text = f'{key} is {_end(scalars[key]):.3f}: {meaning}'
            return [Finding('collapse', 'error', text, remedy)]
    return []


def _plateau(scalars: Scalars) -> list[Finding]:
    ends = {key: _end(values) for key, values in _explained(scalars).items()}
    stuck = [f'{key} {end:.2f}' for key, end in ends.items() if end < MIN_EXPLAINED]
    if not stuck:
        return []
    if min(ends.values()) < MIN_MEAN:
        remedy = 'the learning rate is far too high (did the loss rise?) or far too low'
        return [Finding('worse than the mean', 'error', ', '.join(stuck), remedy)]
    remedy = 'train longer, raise the learning rate, check targets and mask ratio'
    return [Finding('plateau at the mean', 'warning', ', '.join(stuck), remedy)]


def _overfit(scalars: Scalars) -> list[Finding]:
    for key, values in _explained(scalars).items():
        held_out = sorted(scalars.get(f'held_out_{key}', {}).items())
        if held_out and _end(values) - held_out[-1][1] > MAX_GAP:
            text = f'{key} is {_end(values):.2f}, and {held_out[-1][1]:.2f} on held-out clips'
            return [Finding('overfit', 'warning', text, 'more videos, or fewer epochs')]
    for key in ('knn', 'probe'):
        values = [value for _, value in sorted(scalars.get(f'{key}/top1', {}).items())]
        queries = max(scalars.get(f'{key}/queries', {}).values(), default=math.inf)
        # two standard errors: with few videos, one more mistake means nothing
        if len(values) > 1 and values[-1] < max(values) - max(MAX_FALL, 2 / math.sqrt(queries)):
            text = f'{key}/top1 fell from {max(values):.2f} to {values[-1]:.2f}'
            return [Finding('overfit', 'warning', text, 'take the best checkpoint, or more videos')]
    return []


def _imbalance(scalars: Scalars) -> list[Finding]:
    base = scalars.get('term_norm_base')
    heavy = []
    for key, values in scalars.items():
        if base and key.startswith('term_norm_') and key != 'term_norm_base':
            ratio = _end(values) / max(_end(base), 1e-30)
            if ratio > TOO_HEAVY:
                heavy.append(f'{key.removeprefix("term_norm_")} pulls {ratio:.0f} times as hard')
    remedy = "a smaller loss_weight; for CLFA student_norm='layer_norm' or a smaller fc_std"
    return [Finding('base outweighed', 'warning', ', '.join(heavy), remedy)] if heavy else []


def _late_data(scalars: Scalars) -> list[Finding]:
    times, waits = (sum(scalars.get(key, {}).values()) for key in ('time', 'data_time'))
    if waits <= MAX_WAIT * times:
        return []
    remedy = 'more data loader workers, smaller copies of the videos, a faster disk: docs/data.md'
    text = f'{waits / times:.0%} of the time was spent waiting for data'
    return [Finding('late data', 'warning', text, remedy)]


def _explained(scalars: Scalars, since: int = 0) -> dict[str, Mapping[int, float]]:
    """Explained variances around the mean of the batch."""
    found = {
        key: {step: value for step, value in values.items() if step >= since}
        for key, values in scalars.items()
        if key.startswith('explained_') and not key.startswith('explained_place_')
    }
    return {key: values for key, values in found.items() if values}


def _last_phase(scalars: Scalars) -> int:
    """The first step of the last mask ratio: another makes the task harder or easier."""
    ratios = scalars.get('mask_ratio', {})
    if not ratios:
        return 0
    last = ratios[max(ratios)]
    return max((step for step, ratio in ratios.items() if ratio != last), default=-1) + 1


def _end(values: Mapping[int, float]) -> float:
    return _smooth(values)[-1]


def _smooth(values: Mapping[int, float], least: int = 1) -> list[float]:
    """Means over a fifth of the run, and over ``least`` values, so that a lucky one is no best."""
    ordered = [value for _, value in sorted(values.items())]
    width = min(len(ordered), max(least, len(ordered) // 5))
    return sliding_window_view(ordered, width).mean(1).tolist()
