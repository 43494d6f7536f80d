"""Runs a function over many files in processes that may crash or hang."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

# A fork of a process with threads may hang; a fresh interpreter per worker would import for long.
_context = multiprocessing.get_context('forkserver')


class Outcome(NamedTuple):
    """What became of one item.

    Attributes:
        item: the item.
        value: what the function returned, or None.
        error: why there is no value: the error, ``'crash'`` or ``'timeout'``; else None.
    """

    item: Any
    value: Any
    error: str | None


def map_isolated(
    function: Callable[[Any], Any], items: Iterable[Any], jobs: int, timeout: float
) -> Iterator[Outcome]:
    """Yields the outcome of every item, in the order in which they finish.

    Decoders of damaged videos may end their process or never return; either costs one item.
    The processes end with the iteration, also if it is left early or this process is killed.

    Args:
        function: a function of an importable module, or a ``partial`` of one, called with one
            item at a time.
        items: what to call it with.
        jobs: number of processes, 1 or more.
        timeout: seconds after which an item counts as hanging.

    Raises:
        RuntimeError: if a process cannot start.
    """
    # Workers are forked off a process that has done the imports already.
    _context.set_forkserver_preload(['__main__', getattr(function, 'func', function).__module__])
    waiting = deque(items)
    idle: list[_Worker] = []
    busy: list[_Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < jobs:
                worker = idle.pop() if idle else _Worker(function)
                busy.append(worker)
                worker.begin(waiting.popleft(), timeout)
            for worker in _finished(busy):
                busy.remove(worker)
                outcome, usable = worker.finish()
                if usable:
                    idle.append(worker)
                else:
                    worker.kill()
                yield outcome
    finally:
        for worker in busy + idle:
            worker.kill()


def _finished(busy: list[_Worker]) -> list[_Worker]:
    """Waits until workers have an answer, are lost or late, and gives those."""
    pause = min(worker.deadline for worker in busy) - time.monotonic()
    ready = wait([worker.connection for worker in busy], max(0.0, pause))
    now = time.monotonic()
    return [worker for worker in busy if worker.connection in ready or worker.deadline <= now]


class _Worker:
    """A process that serves one item at a time."""

    def __init__(self, function: Callable) -> None:
        self.connection, other = _context.Pipe()
        self.process = _context.Process(target=_serve, args=(function, other), daemon=True)
        self.process.start()
        other.close()  # or the end of the process would go unnoticed
        try:
            self.connection.recv()  # it is there: the time of the imports is not the item's
        except EOFError:
            self.process.join()
            text = 'a worker process ended before its first file'
            raise RuntimeError(f'{text} (exit code {self.process.exitcode})') from None

    def begin(self, item: Any, timeout: float) -> None:
        """Starts the work on an item."""
        self.item, self.deadline = item, time.monotonic() + timeout
        try:
            self.connection.send(item)
        except OSError:
            pass  # the process is lost, as finish() will find

    def finish(self) -> tuple[Outcome, bool]:
        """The outcome, and whether the process can go on."""
        try:
            if not self.connection.poll():
                return Outcome(self.item, None, 'timeout'), False
            value, error = self.connection.recv()
        except (EOFError, OSError):
            return Outcome(self.item, None, 'crash'), False
        return Outcome(self.item, value, error), True

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(function: Callable, connection: Connection) -> None:
    """What a worker does: answers items until the parent closes the connection or ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        connection.send('ready')
        while True:
            item = connection.recv()
            try:
                answer = (function(item), None)
            except Exception as error:
                answer = (None, f'{type(error).__name__}: {error}')
            connection.send(answer)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return  # Ctrl-C reaches all processes of a terminal; the parent tells the user


def _end_with_parent() -> None:
    """Ends this process at once when its parent is gone: nobody else may be writing its files."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
