"""Programs that end together with the process that started them, after saving."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# From a scheduler, before its time limit, and from a terminal that is closed.
STOPS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


def run(command: Sequence[str], **options: Any) -> int:
    """Runs a program to its end; returns its exit status. See :func:`running`."""
    with running(command, **options) as program:
        pass
    return program.returncode


@contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen]:
    """Runs a program beside the body of the ``with``, and to its end.

    What stops this process, or the body, reaches the program as SIGTERM, on which a training saves
    a checkpoint (``PreemptionHook``); otherwise it would be left running, or die unsaved. A
    second signal kills it. Signals that this process ignores (``nohup``) it goes on to ignore.

    Args:
        command: program and arguments.
        **options: of :class:`subprocess.Popen`.

    Raises:
        KeyboardInterrupt: when a signal stopped this process; the program has ended then.
    """
    with _signals_interrupt():
        program = subprocess.Popen(command, start_new_session=True, **options)
        try:
            yield program
            program.wait()
        except BaseException:
            try:  # from here on the second signal may come
                print('stopping, which may take a while: a training saves first', file=sys.stderr)
                program.terminate()
                program.wait()
            except KeyboardInterrupt:
                program.kill()
                program.wait()
            raise


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Lets the signals act as Ctrl-C does; in the main thread."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    heard = [number for number in STOPS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
