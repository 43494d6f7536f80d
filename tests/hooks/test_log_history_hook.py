"""How much is remembered of what is logged."""

import json
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.runner import LogProcessor

from pmd_mmaction.hooks import LogHistoryHook
from tests.integration import tiny


def remembered(name, train=6, val=None, iterations=40, **processor):
    """Lengths of two histories, of which one begins late, after a number of iterations."""
    loops = [n and SimpleNamespace(dataloader=range(n)) for n in (train, val)]
    runner = SimpleNamespace(
        message_hub=MessageHub.get_instance(name),
        log_processor=LogProcessor(**processor),
        epoch=0,
        train_loop=loops[0],
        val_loop=loops[1],
    )
    hook = LogHistoryHook()
    hook.before_train(runner)
    for i in range(iterations):
        runner.message_hub.update_scalar('train/loss', i)
        if i >= 10:
            runner.message_hub.update_scalar('train/skipped_steps', i)
        hook.after_train_iter(runner, i)
    histories = runner.message_hub.log_scalars.values()
    assert all(history.current() == iterations - 1 for history in histories)
    return [len(history.data[0]) for history in histories]


@pytest.mark.parametrize(
    'options, length',
    [
        (dict(window_size=4), 6),  # an epoch
        (dict(window_size=9), 9),
        (dict(window_size=4, val=12), 12),  # an epoch of validation
        (dict(custom_cfg=[dict(data_src='loss', method_name='max', window_size=15)]), 15),
        (dict(custom_cfg=[dict(data_src='loss', method_name='max', window_size='epoch')]), 10),
        (dict(custom_cfg=[dict(data_src='loss', method_name='max')]), 10),
    ],
)
def test_what_the_log_reads_is_kept_and_no_more(options, length, request):
    assert remembered(request.node.name, **options) == [length] * 2


def test_a_global_window_keeps_all(request):
    every = dict(data_src='loss', method_name='mean', window_size='global')
    assert remembered(request.node.name, custom_cfg=[every]) == [40, 30]


def test_a_long_history_of_a_resumed_run_is_shortened(request):
    hub = MessageHub.get_instance(request.node.name)
    for i in range(100):
        hub.update_scalar('train/loss', i)
    assert remembered(request.node.name, iterations=12) == [10, 2]


def test_what_a_resumed_run_no_longer_logs_is_dropped(request):
    hub = MessageHub.get_instance(request.node.name)
    for key in ('train/loss', 'train/loss_psd', 'train/skipped_steps', 'val/knn/top1'):
        hub.update_scalar(key, 1.0)
    loop = SimpleNamespace(dataloader=range(2))
    runner = SimpleNamespace(
        message_hub=hub, log_processor=LogProcessor(), epoch=4, train_loop=loop, val_loop=None
    )
    hook = LogHistoryHook()
    hook.before_train(runner)
    for runner.epoch in (4, 5, 6):
        assert ('train/loss_psd' in hub.log_scalars) == (runner.epoch < 6)
        hub.update_scalar('train/loss', 2.0)
        hook.after_train_epoch(runner)
    assert set(hub.log_scalars) == {'train/loss', 'train/skipped_steps', 'val/knn/top1'}


def test_every_config_has_it_and_the_log_is_the_same(clips, tmp_path):
    base = Config.fromfile(tiny.CONFIGS / '_base_' / 'default_runtime.py')
    assert base.default_hooks.log_history == dict(type='LogHistoryHook')
    logged = {}
    for bounded in (True, False):
        cfg = tiny.tiny_config(clips, tmp_path / str(bounded), ratios=(0.5,), epochs=4)
        cfg.log_processor.window_size = 2
        if not bounded:
            cfg.default_hooks.pop('log_history')
        runner = tiny.train(cfg)
        lengths = {
            len(history.data[0])
            for name, history in runner.message_hub.log_scalars.items()
            if name.startswith('train/loss')
        }
        assert lengths == {3 if bounded else 12}
        (path,) = (tmp_path / str(bounded)).glob('*/vis_data/scalars.json')
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        logged[bounded] = [[v for k, v in line.items() if 'loss' in k] for line in lines]
    assert len(logged[True]) == 12
    assert logged[True] == logged[False]
