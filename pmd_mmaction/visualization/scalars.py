"""What LocalVisBackend wrote into the ``scalars.json`` files of a run."""

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

Scalars = dict[str, dict[int, float]]  # log key to {step: value}


@dataclass
class Attempt:
    """Lines of a log in which the training goes forward.

    Attributes:
        by_iteration: those whose step is an iteration.
        by_epoch: validations, whose step is an epoch.
        begin: first iteration and epoch of the training that are logged; infinity without any.
        last: its last iteration.
        epoch: the epoch of that iteration.
    """

    by_iteration: list[dict] = field(default_factory=list)
    by_epoch: list[dict] = field(default_factory=list)
    begin: tuple[float, float] = (math.inf, math.inf)
    last: int = 0
    epoch: int = 0

    def add(self, entry: dict) -> None:
        """Takes a line over."""
        if 'iter' in entry:
            self.last, self.epoch = entry['step'], entry.get('epoch', entry['step'])
            self.begin = min(self.begin, (self.last, self.epoch))
        # hooks log between the lines of the training, and validations by iteration if they are told
        counts = 'iter' in entry or (self.last and entry['step'] > self.epoch + 1)
        (self.by_iteration if counts else self.by_epoch).append(entry)


def read_scalars(paths: list[Path]) -> Scalars:
    """Reads the log of a run.

    A later attempt is a run that was resumed, rolled back or begun anew: what an earlier one logged
    beyond its first step is not part of the run. Times of validations are left out.

    Args:
        paths: ``scalars.json`` files, oldest first.

    Returns:
        Log key to {step: value}; the step of a validation is its epoch.
    """
    scalars: Scalars = defaultdict(dict)
    end = math.inf, math.inf
    for attempt in _lineage([attempt for path in paths for attempt in _attempts(path)]):
        for entries, limit in zip((attempt.by_iteration, attempt.by_epoch), end):
            for entry in reversed(entries):
                if entry['step'] < limit:
                    for key, value in _values(entry).items():
                        scalars[key].setdefault(entry['step'], value)
        end = min(end, attempt.begin)
    return {key: dict(sorted(values.items())) for key, values in scalars.items()}


def _attempts(path: Path) -> list[Attempt]:
    """The attempts in one file: a rollback goes on in it, at an earlier step."""
    attempts = [Attempt()]
    for line in path.read_text().splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:  # cut off by a crash
            continue
        if 'iter' in entry and entry['step'] <= attempts[-1].last:
            attempts.append(Attempt())
        attempts[-1].add(entry)
    return attempts


def _lineage(attempts: list[Attempt]) -> list[Attempt]:
    """The newest attempt and those that it goes on from, newest first.

    One that ended long before its successor begins was a start by mistake, if an older one
    reaches that far.
    """
    found, begin = [], 0.0
    for index in reversed(range(len(attempts))):
        attempt, older = attempts[index], attempts[:index]
        if 2 * attempt.last < begin and any(2 * other.last >= begin for other in older):
            continue
        found.append(attempt)
        begin = attempt.begin[0] if attempt.last else begin
    return found


def _values(entry: dict) -> dict[str, float]:
    left_out = {'step'} if 'iter' in entry else {'step', 'time', 'data_time'}
    return {
        key: value
        for key, value in entry.items()
        if key not in left_out and isinstance(value, int | float)
    }
