"""A program ends with the process that started it, after saving."""

import os
import signal
import sys
import time

import pytest

from pmd_mmaction.child_process import STOPS, run, running

# Stops its parent once it would save.
SAVES = """
import os, pathlib, signal, sys, time
def save(*_):
    pathlib.Path(sys.argv[1]).write_text('saved')
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
os.kill(os.getppid(), int(sys.argv[2]))
time.sleep(60)
"""
# Is stopped by nothing but a kill.
HANGS = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGTERM))
os.kill(os.getppid(), signal.SIGTERM)
while True:
    time.sleep(1)
"""


@pytest.fixture(autouse=True)
def handlers():
    """As a terminal has them, whatever runs the tests."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOPS}
    # a program in the background of a script ignores it
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def python(code, *arguments):
    return [sys.executable, '-c', code, *map(str, arguments)]


@pytest.mark.parametrize('number', [*STOPS, signal.SIGINT])
def test_what_stops_this_process_lets_the_program_save(tmp_path, number):
    with pytest.raises(KeyboardInterrupt):
        run(python(SAVES, tmp_path / 'state', int(number)))
    assert (tmp_path / 'state').read_text() == 'saved'
    assert all(signal.getsignal(other) is signal.SIG_DFL for other in STOPS)


def test_a_program_that_hangs_is_killed_by_the_second_signal():
    with pytest.raises(KeyboardInterrupt):
        with running(python(HANGS)) as program:
            pass
    assert program.returncode == -signal.SIGKILL


def test_a_program_beside_the_body_is_stopped_by_its_error(tmp_path):
    start = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        with running(python('import time\ntime.sleep(60)')) as program:
            _ = 1 / 0
    assert program.returncode == -signal.SIGTERM and time.monotonic() - start < 30


def test_an_ignored_signal_stays_ignored(tmp_path):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    hangs_up = 'import os, signal\nos.kill(os.getppid(), signal.SIGHUP)'
    assert run(python(hangs_up)) == 0


def test_ctrl_c_of_the_terminal_does_not_reach_the_program():
    with running(python('pass')) as program:
        assert os.getpgid(program.pid) == program.pid != os.getpgrp()


def test_a_status_is_passed_on():
    assert run(python('raise SystemExit(5)')) == 5
