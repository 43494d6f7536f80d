"""A warning where the steps wait for data."""

from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from pmd_mmaction.hooks import DataTimeHook, data_time_hook
from pmd_mmaction.hooks.data_time_hook import workers_needed
from tests.every import every
from tests.integration import tiny
from tests.integration.shipped import config_of


class FakeRunner:
    """Iterations of a given time, some of it spent waiting."""

    def __init__(self, name):
        self.message_hub = MessageHub.get_instance(name)
        self.train_dataloader = SimpleNamespace(num_workers=8)
        self.warnings = []
        self.logger = self

    def warning(self, text):
        self.warnings.append(text)

    def epoch(self, hook, steps, done=0):
        hook.before_train_epoch(self)
        for i, (waited, total) in enumerate(steps, start=done):
            self.message_hub.update_scalar('train/data_time', waited)
            self.message_hub.update_scalar('train/time', total)
            hook.after_train_iter(self, i)
        hook.after_train_epoch(self)


def test_it_warns_once_per_epoch_and_names_the_remedy():
    runner, hook = FakeRunner('waits'), DataTimeHook()
    runner.epoch(hook, [(0, 1), (0.5, 1), (0.1, 1)])
    runner.epoch(hook, [(0, 1), (0.9, 1)])
    assert ['30%' in runner.warnings[0], '90%' in runner.warnings[1]] == [True, True]
    assert len(runner.warnings) == 2
    assert 'num_workers' in runner.warnings[0] and 'resize_videos.py' in runner.warnings[0]


def test_it_is_silent_where_the_data_are_ready():
    runner = FakeRunner('ready')
    # the first iteration, which starts the workers, does not count
    runner.epoch(DataTimeHook(), [(9, 9), (0.2, 1), (0.2, 1)])
    runner.epoch(DataTimeHook(), [(9, 9)])
    runner.epoch(DataTimeHook(), [(9, 9), (0.2, 1)], done=450)  # resumed inside an epoch
    assert runner.warnings == []


@pytest.mark.parametrize(
    'workers, waited, total, needed',
    [
        (8, 0.5, 1.0, 16),  # a batch in 1 s from 8 workers, a step in 0.5 s
        (8, 0.0, 1.0, 8),
        (8, 0.75, 1.0, 32),
        (3, 0.1, 1.0, 4),  # 3.33
        (0, 0.75, 1.0, 3),  # the main process loads for 0.75 s, a step takes 0.25 s
    ],
)
def test_workers_that_would_keep_up(workers, waited, total, needed):
    assert workers_needed(workers, waited, total) == needed


def test_it_names_the_cores(monkeypatch):
    monkeypatch.setattr(data_time_hook, 'get_world_size', lambda: 4)
    runner = FakeRunner('cores')
    runner.epoch(DataTimeHook(), [(0, 1), (0.5, 1)])
    assert 'needs about 64 cores' in runner.warnings[0]
    assert '16 workers for each of 4 rank(s)' in runner.warnings[0]
    runner.epoch(DataTimeHook(), [(0, 1), (1, 1)])
    assert 'no time beside its data' in runner.warnings[1]


@pytest.mark.parametrize('share', [-0.1, 1.5, float('nan')])
def test_a_share_is_from_0_to_1(share):
    with pytest.raises(ValueError, match='max_share is'):
        DataTimeHook(max_share=share)


@every('name', tiny.SHIPPED)
def test_every_config_has_it(name):
    hooks = config_of(name).default_hooks
    assert (hooks.data_time.type, hooks.timer.type) == ('DataTimeHook', 'IterTimerHook')


def test_in_a_training_it_sees_the_times_of_the_iteration(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path)
    cfg.default_hooks.data_time = dict(type='DataTimeHook', max_share=0.0)
    runner, warnings = tiny.build(cfg), []
    runner.logger.warning = lambda text, *rest: warnings.append(text)
    runner.train()
    hook = tiny.hook_of(runner, DataTimeHook)
    assert 0 < hook.waited < hook.total
    assert sum('waiting for data' in text for text in warnings) == runner.max_epochs
