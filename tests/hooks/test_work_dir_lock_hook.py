"""A work directory has one training at a time, whatever becomes of the one before."""

import multiprocessing
import os
import signal
from types import SimpleNamespace

import pytest
from mmengine.runner import BaseLoop

from pmd_mmaction.hooks import WorkDirLockHook, work_dir_lock_hook


class Loop(BaseLoop):
    def __init__(self):
        pass

    def run(self):
        pass


def runner_in(directory, trains=True):
    logger = SimpleNamespace(info=lambda text: None)
    return SimpleNamespace(
        work_dir=str(directory), _train_loop=Loop() if trains else dict(), logger=logger
    )


def _hold(directory, held):
    hook = WorkDirLockHook()
    hook.before_run(runner_in(directory))
    held.set()
    signal.pause()


@pytest.fixture
def other(tmp_path):
    """Another process that trains there."""
    fork = multiprocessing.get_context('fork')
    held = fork.Event()
    process = fork.Process(target=_hold, args=(tmp_path, held))
    process.start()
    assert held.wait(60)
    yield process
    process.kill()
    process.join()


def test_a_second_training_is_refused_until_the_first_is_gone(tmp_path, other):
    hook = WorkDirLockHook()
    with pytest.raises(ValueError, match=f'process {other.pid} on .* is writing to'):
        hook.before_run(runner_in(tmp_path))
    hook.before_run(runner_in(tmp_path, trains=False))  # a test writes no checkpoints
    other.kill()  # as a job that is killed
    other.join()
    hook.before_run(runner_in(tmp_path))
    assert (tmp_path / '.lock').read_text().startswith(f'process {os.getpid()} on ')
    hook.after_run(None)


def test_the_lock_of_another_node_is_waited_for(tmp_path, other, monkeypatch):
    """A server keeps the lock of a node that went down, for a while."""
    (tmp_path / '.lock').write_text('process 1 on a-node-that-is-gone')
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            other.kill()
            other.join()

    monkeypatch.setattr(work_dir_lock_hook.time, 'sleep', wait)
    hook = WorkDirLockHook()
    hook.before_run(runner_in(tmp_path))
    assert len(waits) == 3 and hook._lock.is_taken
    hook.after_run(None)


def test_it_is_not_waited_for_without_end(tmp_path, other, monkeypatch):
    (tmp_path / '.lock').write_text('process 1 on another-node')
    monkeypatch.setattr(work_dir_lock_hook, 'PATIENCE', 0.0)
    with pytest.raises(ValueError, match=r'If its node is gone, remove .*\.lock'):
        WorkDirLockHook().before_run(runner_in(tmp_path))


def test_a_lock_that_was_given_back_is_free(tmp_path):
    first, second = WorkDirLockHook(), WorkDirLockHook()
    first.before_run(runner_in(tmp_path))
    first.after_run(None)
    second.before_run(runner_in(tmp_path))
    assert second._lock.is_taken
    second.after_run(None)


def test_one_process_may_train_there_again(tmp_path):
    """After an error, which ends no hook."""
    first, second = WorkDirLockHook(), WorkDirLockHook()
    for hook in (first, second):
        hook.before_run(runner_in(tmp_path))
    for hook in (first, second):
        hook.after_run(None)


def test_without_locks_nothing_is_refused(tmp_path, other, monkeypatch):
    def no_locks(*_):
        raise OSError(37, 'No locks available')

    monkeypatch.setattr('fcntl.lockf', no_locks)
    WorkDirLockHook().before_run(runner_in(tmp_path))
    WorkDirLockHook().before_run(runner_in(tmp_path / 'nowhere'))
