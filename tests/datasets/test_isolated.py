"""Functions that crash, hang or fail cost one item each."""

import os
import signal
import time
from functools import partial

from pmd_mmaction.datasets.isolated import Outcome, map_isolated


def act(item, factor=1):
    if item == 'crash':
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 'hang':
        time.sleep(60)
    if item == 'fail':
        raise ValueError('no such thing')
    return item * factor


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
    outcomes = map_isolated(act, list(range(50)), 2, 5.0)
    next(outcomes)
    outcomes.close()
