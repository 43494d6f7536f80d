"""Functions that crash, hang or fail cost one item each."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from pmd_mmaction.curation.process_per_file import Outcome, map_isolated


def act(item, factor=1):
    if item == 'crash':
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 'hang':
        time.sleep(60)
    if item == 'fail':
        raise ValueError('no such thing')
    return item * factor


def note_and_hang(path):
    Path(f'{path}.tmp').write_text(str(os.getpid()))
    os.replace(f'{path}.tmp', path)
    time.sleep(60)


def refuse():
    raise ValueError('cannot be loaded in a worker')


class Unloadable:
    def __reduce__(self):
        return refuse, ()


def run(items, jobs=2, timeout=3.0, **options):
    return sorted(map_isolated(partial(act, **options), items, jobs, timeout), key=str)


def test_every_item_is_done_once():
    found = run(list(range(20)), factor=3)
    assert {o.item: o.value for o in found} == {i: 3 * i for i in range(20)}
    assert all(o.error is None for o in found)


def test_bad_items_do_not_touch_the_others():
    items = [1, 'crash', 2, 'hang', 3, 'fail', 4]
    start = time.perf_counter()
    found = {o.item: o for o in run(items, timeout=1.0)}
    assert time.perf_counter() - start < 30
    assert found['crash'] == Outcome('crash', None, 'crash')
    assert found['hang'] == Outcome('hang', None, 'timeout')
    assert found['fail'].error == 'ValueError: no such thing'
    assert [found[i].value for i in (1, 2, 3, 4)] == [1, 2, 3, 4]


def test_nothing_to_do():
    assert run([]) == []


def test_stopping_early_ends_the_workers():
    outcomes = map_isolated(act, ['hang', *range(50)], 2, 60.0)
    next(outcomes)
    start = time.perf_counter()
    outcomes.close()
    assert time.perf_counter() - start < 5
    assert multiprocessing.active_children() == []


def test_workers_end_with_a_killed_parent(tmp_path):
    """Nobody may go on writing a file that the next run writes."""
    root = Path(__file__).parents[2]
    code = (
        'from tests.curation.test_process_per_file import note_and_hang, map_isolated\n'
        f'list(map_isolated(note_and_hang, [{str(tmp_path / "pid")!r}], 1, 60.0))'
    )
    parent = subprocess.Popen([sys.executable, '-c', code], cwd=root)
    while not (tmp_path / 'pid').is_file():
        assert parent.poll() is None
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    worker = psutil.Process(int((tmp_path / 'pid').read_text()))
    end = time.monotonic() + 10
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_worker_that_cannot_start_is_an_error():
    with pytest.raises(RuntimeError, match='before its first file'):
        list(map_isolated(Unloadable(), [1], 1, 5.0))
