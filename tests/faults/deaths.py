"""Deaths at a chosen moment inside a chosen place of a training; nothing of it is in the package.

A place is visited several times in a run. The moments of a visit are the calls and returns of
Python and C functions in it, ``os.fsync`` and ``os.replace`` among them. Files are written in small
pieces, so that most moments of a writing find a part of the file on the disk. A file that is
written at a boundary is a place of its own.
"""

import builtins
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from pmd_mmaction.hooks import DAREHook, ProgressivePhaseHook
from pmd_mmaction.models import PMDRecognizer
from pmd_mmaction.storage import atomic_file
from tests.integration import tiny

FILES = {
    'checkpoint write': 'epoch_*.pth',
    'table write': 'difficulty_*.table',
    'phase file write': 'phase_*_student.pth',
}
PLACES = ('forward', *FILES, 'phase boundary', 'stage boundary')
PIECES, PIECE_BYTES = 50, 1024  # of one writing: not more, not smaller


class Death(NamedTuple):
    """Where a process dies: visit and moment are counted from 1."""

    place: str
    visit: int
    moment: int


class Clock:
    """Counts the moments of every place, and kills its process at one of them.

    Args:
        report: gets the last words as text, or the counts, ``{place: [moments of each visit]}``.
        death: where to die; None only counts.
    """

    def __init__(self, report: Path, death: Death | None = None) -> None:
        self.report, self.death = report, death
        self.moments: dict[str, list[int]] = defaultdict(list)
        self._inside: list[str] = []

    def write_counts(self) -> None:
        """Tells the counts, at the end of a run."""
        self.report.write_text(json.dumps(self.moments))

    def enter(self, place: str) -> None:
        """Begins a visit."""
        self.moments[place].append(0)
        self._inside.append(place)
        sys.setprofile(self._tick)

    def leave(self, place: str) -> None:
        """Ends the visit; a moment that it has not come to is now."""
        if self.death and self.death[:2] == (place, len(self.moments[place])):
            self._die('the end')
        sys.setprofile(None)
        self._inside.remove(place)
        if self._inside:
            sys.setprofile(self._tick)

    @contextmanager
    def visit(self, place: str, due: bool = True) -> Iterator[None]:
        """A block that is a visit, if ``due``."""
        if due:
            self.enter(place)
        yield
        if due:
            self.leave(place)

    def _tick(self, frame, event: str, argument) -> None:
        place = self._inside[-1]
        visits = self.moments[place]
        visits[-1] += 1
        if self.death == (place, len(visits), visits[-1]):
            self._die(f'{event} {getattr(argument, "__name__", frame.f_code.co_name)}')

    def _die(self, moment: str) -> None:
        self.report.write_text(moment)
        tiny.die()


def install(clock: Clock) -> None:
    """Puts the clock around all places."""
    _around(PMDRecognizer, 'loss', lambda *_, **__: clock.visit('forward'))
    _around(DAREHook, '_once', lambda *_: clock.visit('stage boundary'))

    def boundary(hook, runner):
        begins = [phase.begin * len(runner.train_dataloader) for phase in hook.phases.phases[1:]]
        return clock.visit('phase boundary', runner.iter in begins)

    _around(ProgressivePhaseHook, 'before_train_epoch', boundary)
    _watch_files(clock)


def _around(owner: type, name: str, visit) -> None:
    method = getattr(owner, name)

    def wrapped(*args, **kwargs):
        with visit(*args, **kwargs):
            return method(*args, **kwargs)

    setattr(owner, name, wrapped)


def _watch_files(clock: Clock) -> None:
    """A visit of a file lasts from the opening of the temporary one to the end of the writer."""
    sync_directory = atomic_file._sync_directory
    writing = []

    def opened(path, mode):
        name = Path(path).name
        writing[:] = [place for place, pattern in FILES.items() if fnmatch(name, f'{pattern}.tmp')]
        for place in writing:
            clock.enter(place)
        return _Piecewise(builtins.open(path, mode))

    def synced(directory):
        sync_directory(directory)
        for place in writing:
            clock.leave(place)

    atomic_file.open, atomic_file._sync_directory = opened, synced


class _Piecewise:
    """A file whose bytes reach the system in pieces."""

    def __init__(self, file) -> None:
        self._file = file

    def write(self, content) -> int:
        view = memoryview(content).cast('B')
        step = max(PIECE_BYTES, len(view) // PIECES)
        for start in range(0, len(view), step):
            self._file.write(view[start : start + step])
            self._file.flush()
        return len(view)

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self._file.close()

    def __getattr__(self, name: str):
        return getattr(self._file, name)
