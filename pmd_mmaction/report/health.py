"""What the log of a run tells, beside the verdicts of ``diagnosis.run_health``."""

import math
from pathlib import Path
from typing import Mapping

WAITING = 0.2  # share of the time, as DataTimeHook tolerates


def check_log(scalars: Mapping[str, dict[int, float]], work_dir: Path) -> list[tuple]:
    """Losses, skipped steps, waiting and gradients.

    Args:
        scalars: log key to {step: value}.
        work_dir: of the run; holds the records of steps that were skipped.

    Returns:
        Rows (``'ok'`` or ``'look'``, what, found).
    """
    rows = []
    loss = [value for _, value in sorted(scalars.get('loss', {}).items())]
    if loss:
        finite = all(map(math.isfinite, loss))
        rows.append((finite, 'loss is finite', f'{len(loss)} logged values'))
        rows.append((loss[-1] < loss[0], 'loss has fallen', f'{loss[0]:.3f} to {loss[-1]:.3f}'))
    records = work_dir.glob('nonfinite/epoch_*_rank_*.json')
    skipped = len({path.name.rpartition('_rank_')[0] for path in records})
    rows.append((skipped == 0, 'no step was skipped', f'{skipped} recorded in nonfinite/'))
    times, waits = scalars.get('time', {}), scalars.get('data_time', {})
    if times:
        share = sum(waits.values()) / max(sum(times.values()), 1e-9)
        rows.append((share <= WAITING, 'data come in time', f'{share:.0%} of the time is waiting'))
    norm = list(scalars.get('grad_norm', {}).values())
    if norm:
        finite = all(map(math.isfinite, norm))
        rows.append((finite, 'gradients are finite', f'norm {min(norm):.2g} to {max(norm):.2g}'))
    return [('ok' if good else 'look', what, found) for good, what, found in rows]
