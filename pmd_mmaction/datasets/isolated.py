"""Runs a function over many files in processes that may crash or hang."""

from __future__ import annotations

import multiprocessing
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

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

    Args:
        function: a function of an importable module, or a ``partial`` of one, called with one
            item at a time.
        items: what to call it with.
        jobs: number of processes.
        timeout: seconds after which an item counts as hanging.
    """
    waiting: queue.SimpleQueue = queue.SimpleQueue()
    for item in items:
        waiting.put(item)
    count = waiting.qsize()
    # Workers are forked off a process that has imported the function already.
    _context.set_forkserver_preload([getattr(function, 'func', function).__module__])
    finished: queue.SimpleQueue = queue.SimpleQueue()
    stop = threading.Event()
    threads = [
        threading.Thread(
            target=_supervise, args=(function, waiting, finished, timeout, stop), daemon=True
        )
        for _ in range(min(jobs, count))
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(count):
            yield finished.get()
    finally:  # also if the caller stops early
        stop.set()
        for thread in threads:
            thread.join()


def _supervise(
    function: Callable,
    waiting: queue.SimpleQueue,
    finished: queue.SimpleQueue,
    timeout: float,
    stop: threading.Event,
) -> None:
    """Feeds one process and replaces it when it is lost."""
    worker = None
    while not stop.is_set():
        try:
            item = waiting.get_nowait()
        except queue.Empty:
            break
        worker = worker or _Worker(function)
        outcome, alive = worker.call(item, timeout)
        finished.put(outcome)
        if not alive:
            worker.kill()
            worker = None
    if worker:
        worker.kill()


class _Worker:
    def __init__(self, function: Callable) -> None:
        self.connection, other = _context.Pipe()
        self.process = _context.Process(target=_serve, args=(function, other), daemon=True)
        self.process.start()
        other.close()  # or the end of the process would go unnoticed

    def call(self, item: Any, timeout: float) -> tuple[Outcome, bool]:
        """The outcome, and whether the process can go on."""
        try:
            self.connection.send(item)
            if not self.connection.poll(timeout):
                return Outcome(item, None, 'timeout'), False
            value, error = self.connection.recv()
        except (EOFError, OSError):
            return Outcome(item, None, 'crash'), False
        return Outcome(item, value, error), True

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(function: Callable, connection: Connection) -> None:
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            answer = (function(item), None)
        except Exception as error:
            answer = (None, f'{type(error).__name__}: {error}')
        connection.send(answer)
