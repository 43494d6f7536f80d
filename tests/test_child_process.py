"""A program ends with the process that started it, after saving."""

import os
import signal
import sys
import threading

import pytest

from pmd_mmaction.child_process import STOPS, start, wait

SAVES = """
import pathlib, signal, sys, time
path = pathlib.Path(sys.argv[1])
def save(*_):
    path.write_text('saved')
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
signal.signal(signal.SIGINT, lambda *_: sys.exit(3))
path.write_text('ready')
time.sleep(60)
"""


def _stop_when_ready(path, number):
    while not path.is_file() or path.read_text() != 'ready':
        threading.Event().wait(0.02)
    os.kill(os.getpid(), number)


@pytest.mark.parametrize('number', STOPS)
def test_what_stops_this_process_lets_the_program_save(tmp_path, number):
    path, handler = tmp_path / 'state', signal.getsignal(number)
    program = start([sys.executable, '-c', SAVES, str(path)])
    threading.Thread(target=_stop_when_ready, args=(path, number)).start()
    assert wait(program) == (0, True)
    assert path.read_text() == 'saved'
    assert signal.getsignal(number) is handler


def test_ctrl_c_of_the_terminal_does_not_reach_the_program():
    program = start([sys.executable, '-c', 'pass'])
    assert os.getpgid(program.pid) == program.pid != os.getpgrp()
    wait(program)


def test_a_status_is_passed_on():
    assert wait(start([sys.executable, '-c', 'raise SystemExit(5)'])) == (5, False)
