"""Real processes that need not import everything again: they are forked off a prepared server."""

import multiprocessing
import os
import signal
import socket
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from tests.integration.tiny import ROOT

_context = multiprocessing.get_context('forkserver')
TIMEOUT = 200


def start(function: Callable, log: Path, *args, **environment: str):
    """Starts ``function(*args)`` in a process of its own; an error goes into the file ``log``."""
    before = os.environ.get('PYTHONPATH', '')
    os.environ['PYTHONPATH'] = f'{ROOT}{os.pathsep}{before}'  # for the server
    try:
        process = _context.Process(target=_guarded, args=(function, log, args, environment))
        process.start()
    finally:
        os.environ['PYTHONPATH'] = before
    return process


def _guarded(function: Callable, log: Path, args: tuple, environment: dict) -> None:
    os.environ.update(environment)
    try:
        function(*args)
    except BaseException:
        log.write_text(traceback.format_exc())
        raise


def run(function: Callable, log: Path, *args, timeout: float | None = TIMEOUT) -> None:
    """Waits for the end, at most so many seconds, and insists on success."""
    succeeds(start(function, log, *args), log, timeout)


def run_until_killed(function: Callable, log: Path, *args) -> None:
    """Waits for the end and insists on a SIGKILL."""
    process = start(function, log, *args)
    process.join(TIMEOUT)
    assert process.exitcode == -signal.SIGKILL, _explain(process, log)


def run_ranks(function: Callable, log: Path, *args, ranks: int = 2) -> None:
    """Starts one process per rank, as torchrun would."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = listener.getsockname()[1]
    world = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), WORLD_SIZE=str(ranks))
    if not torch.cuda.is_available():
        world['CUDA_VISIBLE_DEVICES'] = ''  # chooses the CPU, whatever a job has set
    logs = [log.with_name(f'{log.name}.{rank}') for rank in range(ranks)]
    started = [
        start(function, logs[rank], *args, RANK=str(rank), LOCAL_RANK=str(rank), **world)
        for rank in range(ranks)
    ]
    try:
        for process, file in zip(started, logs):
            succeeds(process, file)
    finally:
        for process in started:
            process.kill()  # one that waits for a rank that is gone


def succeeds(process, log: Path, timeout: float | None = TIMEOUT) -> None:
    try:
        process.join(timeout)
    finally:  # the time of the test may be over before that of the process
        if process.exitcode is None:
            process.kill()
            process.join()
    assert process.exitcode == 0, _explain(process, log)


def _explain(process, log: Path) -> str:
    text = log.read_text() if log.exists() else 'no traceback'
    return f'exit code {process.exitcode}\n{text}'
