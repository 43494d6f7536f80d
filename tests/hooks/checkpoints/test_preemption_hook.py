"""The hook by itself; whole runs are in tests/integration/test_preemption.py."""

import logging
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from pmd_mmaction.hooks import PreemptionHook, SafeCheckpointHook
from pmd_mmaction.hooks.checkpoints import preemption_hook

LENGTH, EPOCHS = 3, 4


class Saving(SafeCheckpointHook):
    """Notes when it was asked to save."""

    def __init__(self):
        super().__init__()
        self.saved = []

    def save_now(self, runner, iteration):
        self.saved.append(iteration)
        return 'a.pth'


@pytest.fixture
def runner():
    """What the hook sees of a Runner, whose data loaders are named."""
    train, val = SimpleNamespace(worker_init_fn=None), SimpleNamespace(worker_init_fn=print)
    return SimpleNamespace(
        hooks=[Saving()],
        iter=0,
        max_iters=LENGTH * EPOCHS,
        train_dataloader=range(LENGTH),
        train_loop=SimpleNamespace(dataloader=train),
        val_loop=SimpleNamespace(dataloader=val),
        optim_wrapper=SimpleNamespace(_accumulative_counts=1),
        logger=logging.getLogger('preemption'),
    )


@pytest.fixture
def listening(runner):
    """Makes a hook that listens, and takes its handlers away again."""
    hooks = []

    def make(**arguments):
        hooks.append(PreemptionHook(**arguments))
        hooks[-1].before_train(runner)
        return hooks[-1]

    yield make
    for hook in hooks:
        hook.after_train(runner)


def _iterate(hook, runner, until=LENGTH * EPOCHS):
    """Goes on to an iteration; the one after which it stopped, or None."""
    while runner.iter < until:
        try:
            hook.after_train_iter(runner, runner.iter % LENGTH)
        except SystemExit as end:
            assert end.code == 0
            return runner.iter + 1
        runner.iter += 1
    return None


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGUSR1'])
def test_a_signal_ends_the_iteration_saves_and_exits(runner, listening, caplog, monkeypatch, name):
    monkeypatch.setattr(sys, 'argv', ['tools/train.py', 'my config.py'])
    before = signal.getsignal(signal.Signals[name])
    hook = listening()
    assert _iterate(hook, runner, until=4) is None and runner.hooks[0].saved == []
    os.kill(os.getpid(), signal.Signals[name])
    with caplog.at_level(logging.WARNING):
        assert _iterate(hook, runner) == 5
    assert runner.hooks[0].saved == [5]
    command = shlex.join(['python', *sys.argv])
    (told,) = caplog.messages
    assert told == (
        f'{name}: stopped after iteration 5 and saved a.pth; resume with: {command} --resume'
    )
    os.kill(os.getpid(), signal.SIGTERM)  # in the time that it takes to exit
    hook.after_train(runner)
    assert signal.getsignal(signal.Signals[name]) is before


@pytest.mark.parametrize(
    'given, expected',
    [
        (['a.py', '--resume', 'old.pth', '--amp'], 'a.py --amp --resume'),
        (['a.py', '--resume=old.pth'], 'a.py --resume'),
        (['a.py', '--resume', '--seed', '3'], 'a.py --seed 3 --resume'),
        (
            ['a.py', '--launcher', 'pytorch'],
            'a.py --launcher pytorch --resume (through the launcher, as before)',
        ),
    ],
)
def test_the_command_takes_what_was_saved_last(given, expected):
    assert preemption_hook._command_to_resume(['train.py', *given]) == f'python train.py {expected}'


def test_the_command_is_not_given_the_option_twice(runner, listening, caplog, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['train.py', 'a.py', '--resume'])
    hook = listening()
    os.kill(os.getpid(), signal.SIGTERM)
    with caplog.at_level(logging.WARNING):
        _iterate(hook, runner)
    assert caplog.messages[0].endswith('resume with: python train.py a.py --resume')


def test_gradients_that_are_accumulated_are_waited_for(runner, listening):
    runner.optim_wrapper._accumulative_counts = 3
    hook = listening()
    os.kill(os.getpid(), signal.SIGTERM)
    assert _iterate(hook, runner) == 3


def test_the_last_iteration_of_a_run_is_its_end(runner, listening):
    hook, runner.iter = listening(), LENGTH * EPOCHS - 1
    os.kill(os.getpid(), signal.SIGTERM)
    assert _iterate(hook, runner) is None and runner.hooks[0].saved == []


def test_a_validation_is_not_waited_for(runner, listening):
    hook, runner.iter = listening(), 2 * LENGTH
    hook.after_val_iter(runner, 0)
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(SystemExit):
        hook.after_val_iter(runner, 1)
    assert runner.hooks[0].saved == [2 * LENGTH]


# Agreements are due after every second iteration and at the end of an epoch of three.
@pytest.mark.parametrize('comes_after, stops', [(0, 2), (2, 3), (3, 4), (4, 6)])
def test_ranks_stop_at_the_next_agreement(
    runner, listening, monkeypatch, caplog, comes_after, stops
):
    """The signal is another rank's."""
    agreed = []

    def all_reduce(flag, op):
        assert op == 'max' and flag.item() == 0
        agreed.append(runner.iter + 1)
        flag.fill_(int(runner.iter + 1 > comes_after))

    monkeypatch.setattr(preemption_hook, 'get_world_size', lambda: 2)
    monkeypatch.setattr(preemption_hook, 'all_reduce', all_reduce)
    with caplog.at_level(logging.WARNING):
        assert _iterate(listening(agree_every=2), runner) == stops
    assert agreed == [i for i in (2, 3, 4, 6) if i <= stops]
    assert caplog.messages[0].startswith('A signal to another rank: stopped')


@pytest.mark.parametrize('shortest, agreed', [(4, [2, 4]), (3, [2])])
def test_in_a_validation_ranks_agree_while_all_have_batches(
    runner, listening, monkeypatch, shortest, agreed
):
    """This rank has four batches; another one may be at the end already, where it gathers."""
    found = []

    def all_reduce(flag, op):
        if op == 'min':
            assert flag.item() == 4
            flag.fill_(shortest)
        else:
            found.append(batch + 1)

    monkeypatch.setattr(preemption_hook, 'get_world_size', lambda: 2)
    monkeypatch.setattr(preemption_hook, 'all_reduce', all_reduce)
    runner.val_dataloader = range(4)
    hook = listening(agree_every=2)
    hook.before_val_epoch(runner)
    for batch in range(4):
        hook.after_val_iter(runner, batch)
    assert found == agreed


def test_a_signal_of_this_rank_is_sent_to_the_others(runner, listening, monkeypatch):
    sent = []
    monkeypatch.setattr(preemption_hook, 'get_world_size', lambda: 2)
    monkeypatch.setattr(preemption_hook, 'all_reduce', lambda flag, op: sent.append(flag.item()))
    hook = listening(agree_every=2)
    _iterate(hook, runner, until=2)
    os.kill(os.getpid(), signal.SIGTERM)
    assert _iterate(hook, runner) == 3
    assert sent == [0, 1]


def test_without_a_hook_that_saves_it_is_refused(runner):
    runner.hooks.clear()
    with pytest.raises(ValueError, match="checkpoint.type='SafeCheckpointHook'"):
        PreemptionHook().before_train(runner)


def test_in_another_thread_it_is_off(runner, caplog):
    before = signal.getsignal(signal.SIGTERM)
    with caplog.at_level(logging.WARNING):
        thread = threading.Thread(target=PreemptionHook().before_train, args=(runner,))
        thread.start()
        thread.join()
    assert caplog.messages == ['PreemptionHook is off: only a main thread receives signals']
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    'arguments', [dict(signals=['SIGUSER']), dict(signals='SIGTERM'), dict(agree_every=0)]
)
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        PreemptionHook(**arguments)


def _work(started, init):
    init(0)
    started.set()
    time.sleep(60)


def test_a_worker_obeys_its_parent_alone(runner, listening):
    context = multiprocessing.get_context('fork')
    started, called = context.Event(), context.Event()
    runner.train_loop.dataloader.worker_init_fn = lambda worker: called.set()  # the user's own
    listening()
    init = runner.train_loop.dataloader.worker_init_fn
    worker = context.Process(target=_work, args=(started, init), daemon=True)
    worker.start()
    assert started.wait(20) and called.is_set()
    for name in ('TERM', 'USR1'):
        subprocess.run(['kill', f'-{name}', str(worker.pid)], check=True)
    worker.join(0.3)
    assert worker.exitcode is None
    worker.terminate()
    worker.join(20)
    assert worker.exitcode == 0
