"""Steps that are not finite, in real trainings."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapperDict

from pmd_mmaction.hooks import NonFiniteHook
from pmd_mmaction.hooks.nonfinite.step_record import StepRecord
from pmd_mmaction.hooks.step_seed_hook import step_seeds
from tests.integration import tiny
from tests.integration.poison import States, poisoned_config

BAD_EPOCH, BAD_SAMPLE = 1, 5


def scalars(work_dir):
    (path,) = Path(work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def records(work_dir):
    paths = sorted((Path(work_dir) / 'nonfinite').glob('epoch_*.json'))
    return [StepRecord.read(path) for path in paths]


@pytest.fixture(scope='module')
def one_bad_clip(clips, tmp_path_factory):
    """A run in which one clip is bad in one epoch."""
    cfg = poisoned_config(
        clips,
        tmp_path_factory.mktemp('poisoned'),
        dict(type='States'),
        dict(type='HealthHook', interval=1),
        poison=dict(epochs=[BAD_EPOCH], samples=[BAD_SAMPLE]),
    )
    runner = tiny.train(cfg)
    states = tiny.hook_of(runner, States)
    bad = 3 * BAD_EPOCH + [BAD_SAMPLE in videos for videos in states.videos[3:6]].index(True)
    return runner, states, bad


@pytest.mark.parametrize('key', ['weights', 'moments', 'table'])
def test_a_bad_clip_changes_nothing_for_good(one_bad_clip, key):
    _, states, bad = one_bad_clip
    assert states.changed(key) == [i != bad for i in range(9)]


def test_schedules_and_counters_go_on(one_bad_clip, clips, tmp_path):
    runner, states, _ = one_bad_clip
    healthy = tiny.train(poisoned_config(clips, tmp_path, dict(type='States')))
    assert states.rates == tiny.hook_of(healthy, States).rates
    assert runner.iter == 9
    assert not (tmp_path / 'nonfinite').exists()


def test_the_log_counts_it_and_stays_readable(one_bad_clip):
    runner, _, bad = one_bad_clip
    lines = scalars(runner.work_dir)
    assert [line.get('skipped_steps', 0) for line in lines] == [int(i >= bad) for i in range(9)]
    assert all(math.isfinite(line['loss']) for line in lines)
    assert all(math.isfinite(line['explained_img']) for line in lines)


def test_the_count_travels_in_the_checkpoint(one_bad_clip):
    saved = tiny.read_checkpoint(Path(one_bad_clip[0].work_dir) / 'epoch_3.pth')
    assert saved['message_hub']['runtime_info']['skipped_steps'] == 1


def test_the_record(one_bad_clip):
    runner, states, bad = one_bad_clip
    (record,) = records(runner.work_dir)
    assert (record.epoch, record.iter, record.rank, record.world_size) == (BAD_EPOCH, bad, 0, 1)
    assert (record.seed, record.reason, record.phase) == (0, 'loss', [0, 0.5, 0, 3])
    (batch,) = record.batches
    assert [sample['sample_idx'] for sample in batch['samples']] == states.videos[bad]
    dataset = runner.train_dataloader.dataset
    for sample in batch['samples']:
        assert sample['file'] == dataset.get_data_info(sample['sample_idx'])['filename']
    at_the_time = SimpleNamespace(seed=0, epoch=BAD_EPOCH, iter=bad)
    assert (batch['seed'], batch['mask_seed']) == step_seeds(at_the_time)
    assert batch['losses']['loss'] == 'nan'
    assert record.versions['torch'] == torch.__version__


# --- in a row ---


def test_steps_in_a_row_stop_the_run(clips, tmp_path):
    cfg = poisoned_config(clips, tmp_path, poison=dict(epochs=[1]), non_finite=dict(max_in_a_row=3))
    runner = tiny.build(cfg)
    with pytest.raises(FloatingPointError, match='3 steps in a row had a loss .*replay_batch'):
        tiny.finish(runner)
    assert (runner.epoch, runner.iter) == (1, 5)
    assert [record.iter for record in records(tmp_path)] == [3, 4, 5]
    weights = {record.weights for record in records(tmp_path)}
    assert weights == {'weights_iter_4.safetensors'}  # once per row: nothing changed them
    assert (tmp_path / 'nonfinite' / weights.pop()).is_file()


def test_a_step_that_was_made_ends_the_row(clips, tmp_path):
    cfg = poisoned_config(
        clips,
        tmp_path,
        poison=dict(epochs=[0, 1, 2], samples=[BAD_SAMPLE]),
        non_finite=dict(max_in_a_row=2, max_dumps=2, dump_weights=False),
        train_dataloader__sampler=dict(type='DefaultSampler', shuffle=False),
    )
    runner = tiny.train(cfg)
    assert runner.message_hub.get_info('skipped_steps') == 3
    assert [record.weights for record in records(tmp_path)] == [None, None]


def test_a_resumed_run_goes_on_counting(one_bad_clip, clips, tmp_path):
    whole = Path(one_bad_clip[0].work_dir)
    cfg = poisoned_config(clips, tmp_path, poison=dict(epochs=[2], samples=[BAD_SAMPLE]))
    cfg = tiny.resumed(cfg, whole / 'epoch_2.pth')
    assert tiny.train(cfg).message_hub.get_info('skipped_steps') == 2


# --- gradient accumulation ---


def test_a_bad_batch_spoils_the_accumulated_step_but_not_the_table_of_the_others(clips, tmp_path):
    cfg = poisoned_config(
        clips,
        tmp_path,
        dict(type='States'),
        poison=dict(epochs=[BAD_EPOCH], samples=[BAD_SAMPLE]),
        optim_wrapper__accumulative_counts=3,
    )
    runner = tiny.train(cfg)
    states = tiny.hook_of(runner, States)
    bad = 3 * BAD_EPOCH + [BAD_SAMPLE in videos for videos in states.videos[3:6]].index(True)
    assert states.changed('weights') == [i in (2, 8) for i in range(9)]
    assert states.changed('table') == [i != bad for i in range(9)]
    (record,) = records(tmp_path)
    assert [batch['iter'] for batch in record.batches] == [3, 4, 5]
    assert [batch['losses']['loss'] == 'nan' for batch in record.batches] == [
        i == bad for i in (3, 4, 5)
    ]


# --- what it refuses ---


def test_a_checkpoint_that_is_not_finite_is_refused(clips, tmp_path):
    cfg = poisoned_config(clips, tmp_path, epochs=2)
    runner = tiny.train(cfg)
    path = Path(runner.work_dir) / 'epoch_2.pth'
    checkpoint = tiny.read_checkpoint(path)
    checkpoint['state_dict']['backbone.norm.bias'][0] = math.nan
    torch.save(checkpoint, path)
    cfg.resume, cfg.load_from = True, str(path)
    with pytest.raises(ValueError, match=r'backbone.norm.bias in .*epoch_2.pth is not finite'):
        tiny.train(cfg)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(on_nonfinite='ignore'), "on_nonfinite is 'ignore'; it must be one of"),
        (dict(max_in_a_row=0), 'max_in_a_row is 0; it must be a whole number, at least 1'),
        (dict(max_rollbacks=0), 'max_rollbacks is 0'),
        (dict(max_dumps=-1), 'max_dumps is -1; it must be a whole number, at least 0'),
        (dict(max_in_a_row=2.5), 'max_in_a_row is 2.5'),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        NonFiniteHook(**arguments)


def test_several_optimisers_are_refused():
    runner = SimpleNamespace(optim_wrapper=OptimWrapperDict())
    with pytest.raises(TypeError, match='without non_finite'):
        NonFiniteHook().before_train(runner)


def test_steps_that_seek_a_loss_scale_are_told_apart():
    """The verdict on a run leaves them out."""
    hub = MessageHub.get_instance('steps_that_seek_a_loss_scale')
    logger = SimpleNamespace(info=lambda text: None)
    runner = SimpleNamespace(message_hub=hub, logger=logger)
    for _ in range(2):
        NonFiniteHook()._count(runner, SimpleNamespace(seeks_scale=True))
    assert hub.get_info('skipped_steps') == hub.get_info('scale_steps') == 2
    assert hub.get_scalar('train/scale_steps').current() == 2
