"""Losses that wait on the device: the log reads what MMEngine would have read, at once."""

import copy
import json
import pickle
from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.hooks import RuntimeInfoHook
from mmengine.logging import HistoryBuffer, MessageHub

from pmd_mmaction.hooks import LossInfoHook, loss_info_hook
from tests.integration import tiny


class Run:
    """As much of a Runner as the hook sees."""

    numbers = iter(range(10**6))

    def __init__(self, hook):
        self.hook = hook
        self.message_hub = MessageHub.get_instance(f'losses-{next(self.numbers)}')

    def step(self, **outputs):
        self.hook.after_train_iter(self, 0, None, outputs)

    def data(self):
        return {
            key: [part.tolist() for part in history.data]
            for key, history in self.message_hub.log_scalars.items()
        }


@pytest.fixture
def transfers():
    """The numbers of values that were brought over, transfer by transfer."""
    sizes, tolist = [], torch.Tensor.tolist

    def count(tensor):
        sizes.append(tensor.numel())
        return tolist(tensor)

    with mock.patch.object(torch.Tensor, 'tolist', count):
        yield sizes


def losses(i, **more):
    return dict(loss=torch.tensor(i / 3, requires_grad=True), loss_df=torch.tensor(i * 1e-3)) | more


def both():
    return Run(LossInfoHook()), Run(RuntimeInfoHook())


def test_every_reader_finds_what_mmengine_leaves():
    ours, theirs = both()
    for i in range(50):
        more = dict(loss_pg=torch.tensor([i * 0.7])) if 7 <= i < 30 else {}
        more |= dict(skipped=i) if i % 3 == 0 else {}
        for run in (ours, theirs):
            run.step(**losses(i, **more))
        if i % 20 == 19:
            for key, history in theirs.message_hub.log_scalars.items():
                found = ours.message_hub.get_scalar(key)
                assert found.mean(20) == history.mean(20)
                assert found.current() == history.current()
                assert found.statistics('max', 5) == history.max(5) and found.min() == history.min()
    assert ours.data() == theirs.data()
    assert list(ours.data()) == list(theirs.data())  # the order of the log


def test_all_losses_come_over_at_once(transfers):
    run, _ = both()
    for i in range(20):
        run.step(**losses(i))
    assert transfers == []
    run.message_hub.get_scalar('train/loss').mean(20)
    run.message_hub.get_scalar('train/loss_df').mean(20)
    assert transfers == [40]


def test_the_graph_of_a_loss_is_let_go():
    run, _ = both()
    for i in range(3):
        run.step(**losses(i))
    waiting = run.hook._waiting._steps
    assert len(waiting) == 3 and not any(values.requires_grad for _, values in waiting)


def test_no_more_than_so_many_iterations_wait(transfers, monkeypatch):
    monkeypatch.setattr(loss_info_hook, 'LIMIT', 10)
    run, _ = both()
    for i in range(25):
        run.step(**losses(i))
    assert transfers == [20, 20]


def test_values_that_others_add_keep_their_place():
    ours, theirs = both()
    for run in (ours, theirs):
        for i in range(4):
            run.step(**losses(i))
            run.message_hub.update_scalar('train/loss', -float(i))
    assert ours.data() == theirs.data()


def test_the_memory_is_bounded():
    ours, theirs = both()
    for run in (ours, theirs):
        for i in range(12):
            run.step(**losses(i))
            for history in run.message_hub.log_scalars.values():
                history.max_length = 5
    assert ours.data() == theirs.data()
    assert len(ours.data()['train/loss'][0]) == 5


def test_a_checkpoint_holds_plain_histories():
    ours, theirs = both()
    for run in (ours, theirs):
        for i in range(6):
            run.step(**losses(i))
    saved, expected = (run.message_hub.state_dict()['log_scalars'] for run in (ours, theirs))
    for key, history in expected.items():
        for found in (saved[key], pickle.loads(pickle.dumps(ours.message_hub.get_scalar(key)))):
            assert type(found) is HistoryBuffer
            assert found.max_length == history.max_length
            for a, b in zip(found.data, history.data, strict=True):
                assert a.dtype == b.dtype and np.array_equal(a, b)


def test_a_resumed_history_goes_on():
    ours, theirs = both()
    for run in (ours, theirs):
        for i in range(3):
            run.step(**losses(i))
        saved = copy.deepcopy(run.message_hub.state_dict())
        run.message_hub = MessageHub.get_instance(f'losses-{next(Run.numbers)}')
        run.message_hub.load_state_dict(saved)
        run.hook = type(run.hook)()
        for i in range(3, 6):
            run.step(**losses(i))
    assert ours.data() == theirs.data()


def test_an_iteration_without_losses_is_fine():
    run, _ = both()
    run.hook.after_train_iter(run, 0, None, None)
    run.step()
    assert run.data() == {}


def test_a_run_logs_the_same_lines(clips, tmp_path):
    """Two phases, a log line every second iteration, another window than the interval."""
    lines = []
    for kind in ('LossInfoHook', 'RuntimeInfoHook'):
        cfg = tiny.tiny_config(
            clips,
            tmp_path / kind,
            ratios=(0.5, 0.8),
            epochs=2,
            default_hooks__runtime_info=dict(type=kind),
            default_hooks__logger=dict(type='LoggerHook', interval=2, ignore_last=False),
            log_processor__window_size=3,
        )
        tiny.train(cfg)
        (path,) = (tmp_path / kind).glob('*/vis_data/scalars.json')
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        lines.append([{k: v for k, v in e.items() if 'time' not in k} for e in entries])
    assert lines[0] == lines[1] and len(lines[0]) == 8
    names = {
        f'loss_{term}_{teacher}'
        for term in ('base', 'pg', 'df', 'al')
        for teacher in ('img', 'vid')
    }
    assert names | {'loss'} <= set(lines[0][-1])
