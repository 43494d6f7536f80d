"""Programs that are stopped together with the process that started them."""

import signal
import subprocess
from collections.abc import Sequence
from typing import Any, NamedTuple

# From a scheduler, a terminal that is closed, and Ctrl-C.
STOPS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Ending(NamedTuple):
    """How a program ended.

    Attributes:
        status: exit status, the signal's negative number if one killed it.
        stopped: whether this process was asked to stop meanwhile.
    """

    status: int
    stopped: bool


def start(command: Sequence[str], **options: Any) -> subprocess.Popen:
    """Starts a program that Ctrl-C does not reach; :func:`wait` passes that on.

    Args:
        command: program and arguments.
        **options: of :class:`subprocess.Popen`.
    """
    return subprocess.Popen(command, start_new_session=True, **options)


def wait(program: subprocess.Popen) -> Ending:
    """Waits for the end of a program; call it in the main thread.

    What would stop this process meanwhile is passed on as SIGTERM, on which a training saves a
    checkpoint (``PreemptionHook``); otherwise the program would be left running, or die unsaved.
    """
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True
        program.terminate()

    before = {number: signal.signal(number, stop) for number in STOPS}
    try:
        status = program.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return Ending(status, stopped)
