"""What DAREHook refuses, and which tables it keeps."""

import copy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from pmd_mmaction.hooks import DAREHook
from pmd_mmaction.models import PMDRecognizer
from tests.integration import tiny


@pytest.fixture(scope='module')
def run(clips, tmp_path_factory):
    """Config of a finished run of two phases of two epochs, two checkpoints kept."""
    cfg = tiny.tiny_config(
        clips,
        tmp_path_factory.mktemp('run'),
        ratios=(0.5, 0.8),
        epochs=2,
        dare=dict(stage_epochs=1),
    )
    tiny.train(cfg)
    return cfg


@pytest.fixture
def again(run, tmp_path):
    """The run's config in a copy of its directory, to be resumed at epoch 3."""
    cfg = copy.deepcopy(run)
    shutil.copytree(run.work_dir, tmp_path / 'copy')
    cfg.work_dir = str(tmp_path / 'copy')
    return tiny.resumed(cfg, tmp_path / 'copy' / 'epoch_3.pth')


def _table(cfg, epoch=3):
    return Path(cfg.work_dir) / f'difficulty_epoch_{epoch}_iter_{3 * epoch}.table'


def _refused(cfg, match, error=ValueError):
    with pytest.raises(error, match=match):
        tiny.train(cfg)


# ---------------------------------------------------------------------- arguments


@pytest.mark.parametrize('stage_epochs', [0, -1, 1.5, None])
def test_stages_are_whole_epochs(stage_epochs):
    with pytest.raises(ValueError, match='stage_epochs.*whole number, at least 1'):
        DAREHook(stage_epochs=stage_epochs)


def test_an_unknown_region_is_refused():
    with pytest.raises(ValueError, match="region is 'canonical'.*one of"):
        DAREHook(region='canonical')


def test_an_unknown_dtype_is_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, dare=dict(dtype='int8'))
    _refused(cfg, r"DAREHook: dtype is 'int8'; it must be one of \('float16', 'float32'\)")


def test_half_precision_with_a_small_alpha_is_refused(clips, tmp_path):
    cfg = tiny.tiny_config(
        clips, tmp_path, dare=dict(dtype='float16'), model__dare=dict(alpha=0.05)
    )
    _refused(cfg, "alpha = 0.05 is too small.*dtype='float32'")


# ---------------------------------------------------------------------- configs


def test_samples_without_an_index_are_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path)
    cfg.train_dataloader.dataset.pipeline[-1].meta_keys = ('img_shape',)
    _refused(
        cfg, r"PackActionInputs in the train pipeline drops sample_idx.*meta_keys=\('img_shape', "
    )


def test_concatenated_data_sets_are_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path)
    parts = [cfg.train_dataloader.dataset.to_dict() for _ in range(2)]
    parts[1]['ann_file'] = str(clips / 'val.txt')
    del cfg.train_dataloader['dataset']
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=parts)
    _refused(cfg, 'ConcatDataset, in which indices.*merge the list files')


def test_a_repeated_data_set_is_accepted(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, epochs=1, param_scheduler=None)
    dataset = cfg.train_dataloader.pop('dataset').to_dict()
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', dataset=dataset, times=2)
    cfg.custom_hooks[2].reset_per_phase = False
    table = tiny.table_of(tiny.train(cfg))
    assert table[0, : tiny.CLIPS].any((1, 2)).all() and not table[0, tiny.CLIPS :].any()


def test_a_phase_hook_is_needed(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path)
    del cfg.custom_hooks[1]
    _refused(cfg, 'DAREHook needs a ProgressivePhaseHook in custom_hooks')


def test_a_model_with_dare_needs_the_hook(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path)
    del cfg.custom_hooks[2]
    _refused(cfg, "add dict\\(type='DAREHook'\\)")


def test_the_hook_does_nothing_for_a_model_without_dare(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, epochs=1, model__dare=None, param_scheduler=None)
    runner = tiny.train(cfg)
    assert tiny.hook_of(runner, DAREHook).table is None
    assert not list(tmp_path.glob('*.table'))
    assert 'dare' not in tiny.read_checkpoint(tmp_path / 'epoch_3.pth')


# ---------------------------------------------------------------------- resuming


def test_the_copy_resumes(again, run):
    """Without it the refusals below would prove nothing."""
    tiny.train(again)
    last = tiny.read_table(_table(again, 4))
    np.testing.assert_array_equal(last, tiny.read_table(_table(run, 4)))
    assert last.any()


def test_the_table_of_the_checkpoint_is_taken_not_that_of_the_work_dir(again, tmp_path):
    other = tmp_path / 'elsewhere'
    shutil.copytree(again.work_dir, other)
    _table(again).write_bytes(b'another run')
    again.load_from = str(other / 'epoch_3.pth')
    tiny.train(again)


def test_another_number_of_videos_is_refused(again, tmp_path):
    path = tmp_path / 'more.txt'
    path.write_text(Path(again.train_dataloader.dataset.ann_file).read_text() + 'val/00000.mp4 0')
    again.train_dataloader.dataset.ann_file = str(path)
    _refused(again, '12 samples, the data set has 13 now: resume with the same data set')


@pytest.mark.parametrize('change', ['order', 'name'])
def test_other_videos_are_refused(again, tmp_path, change):
    path = tmp_path / 'other.txt'
    lines = Path(again.train_dataloader.dataset.ann_file).read_text().splitlines()
    lines = lines[::-1] if change == 'order' else [*lines[:-1], lines[0]]
    path.write_text('\n'.join(lines))
    again.train_dataloader.dataset.ann_file = str(path)
    _refused(again, 'belongs to the data set.*same annotation file, in the same order')


def test_a_moved_data_set_is_accepted(again, tmp_path):
    dataset = again.train_dataloader.dataset
    shutil.copytree(dataset.data_prefix.video, tmp_path / 'moved')
    dataset.data_prefix.video = str(tmp_path / 'moved')
    dataset.ann_file = str(tmp_path / 'moved' / 'train.txt')
    tiny.train(again)


def test_a_damaged_table_is_refused(again):
    content = bytearray(_table(again).read_bytes())
    content[-100] ^= 1
    _table(again).write_bytes(content)
    _refused(again, 'damaged: resume from an earlier checkpoint')


def test_a_shortened_table_is_refused(again):
    _table(again).write_bytes(_table(again).read_bytes()[:-1])
    _refused(again, 'bytes instead of.*damaged')


def test_the_table_of_another_checkpoint_is_refused(again):
    shutil.copy(_table(again, 4), _table(again))
    _refused(again, 'the checkpoint names.*put the table that was saved with this checkpoint')


def test_another_dtype_is_refused(again):
    again.custom_hooks[2].dtype = 'float16'
    _refused(again, "holds float32 values, this run keeps float16: set the table's dtype")


def test_a_missing_table_is_refused(again, run):
    _table(again).unlink()
    hidden = _table(run).rename(_table(run).with_suffix('.hidden'))
    try:
        _refused(again, 'in none of.*copy it beside the checkpoint')
    finally:
        hidden.rename(_table(run))


def test_a_table_left_where_the_checkpoint_was_written_is_found(again):
    _table(again).unlink()
    tiny.train(again)


def test_a_checkpoint_without_dare_is_refused(again):
    content = tiny.read_checkpoint(again.load_from)
    del content['dare']
    torch.save(content, again.load_from)
    _refused(again, 'has no difficulty table.*dare=None')


def test_weights_alone_start_with_an_empty_table(again):
    again.resume = False
    _table(again).unlink()
    again.train_cfg.max_epochs = 1
    again.custom_hooks[1].phases = [dict(mask_ratio=0.5, epochs=1)]
    again.custom_hooks[2].stage_epochs = 1
    again.param_scheduler = None
    tiny.train(again)


# ---------------------------------------------------------------------- which tables stay


def test_the_checkpoint_names_its_table(run):
    for epoch in (3, 4):
        record = tiny.read_checkpoint(Path(run.work_dir) / f'epoch_{epoch}.pth')['dare']
        assert record['file'] == _table(run, epoch).name
        assert record['digest'] == tiny.table_file.inspect(_table(run, epoch)).digest


def test_tables_go_with_their_checkpoints(run):
    names = {path.name for path in Path(run.work_dir).iterdir()}
    assert {name for name in names if name.startswith('epoch')} == {'epoch_3.pth', 'epoch_4.pth'}
    assert {name for name in names if name.endswith('.table')} == {
        _table(run, 3).name,
        _table(run, 4).name,
    }


def test_tables_lie_beside_checkpoints_in_another_directory(clips, tmp_path):
    short = dict(epochs=1, dare=dict(stage_epochs=1), param_scheduler=None)
    cfg = tiny.tiny_config(clips, tmp_path / 'work', **short)
    cfg.default_hooks.checkpoint.out_dir = str(tmp_path / 'out')
    tiny.train(cfg)
    (directory,) = (tmp_path / 'out').iterdir()
    assert len(list(directory.glob('*.table'))) == len(list(directory.glob('*.pth'))) == 2
    assert not list((tmp_path / 'work').glob('*.table'))
    cfg.load_from = str(directory / 'epoch_2.pth')
    tiny.train(tiny.resumed(cfg, directory / 'epoch_2.pth'))


@METRICS.register_module(force=True)
class BestAtFirst(BaseMetric):
    """The first validation is the best."""

    count = 0

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        type(self).count += 1
        return dict(score=1 / self.count)


@pytest.fixture
def no_features(monkeypatch):
    """Validation looks at nothing."""
    monkeypatch.setattr(PMDRecognizer, 'predict', lambda self, inputs, samples, **_: samples)


def _validated(cfg):
    loader = cfg.train_dataloader.to_dict()
    del loader['drop_last']
    loader['sampler'] = dict(type='DefaultSampler', shuffle=False)
    cfg.val_dataloader, cfg.val_cfg = loader, dict(type='ValLoop')
    cfg.val_evaluator = dict(type='BestAtFirst')
    cfg.default_hooks.checkpoint.update(save_best='score', rule='greater')
    BestAtFirst.count = 0
    return cfg


def test_the_table_of_the_best_checkpoint_stays(no_features, clips, tmp_path):
    cfg = _validated(
        tiny.tiny_config(clips, tmp_path, ratios=(0.5, 0.8), epochs=2, dare=dict(stage_epochs=1))
    )
    tiny.train(cfg)
    assert sorted(path.name for path in tmp_path.glob('*.pth') if 'phase' not in path.name) == [
        'best_score_epoch_1.pth',
        'epoch_3.pth',
        'epoch_4.pth',
    ]
    assert sorted(path.name for path in tmp_path.glob('*.table')) == [
        _table(cfg, epoch).name for epoch in (1, 3, 4)
    ]
    record = tiny.read_checkpoint(tmp_path / 'best_score_epoch_1.pth')['dare']
    assert record['digest'] == tiny.table_file.inspect(tmp_path / record['file']).digest


def test_a_moved_run_saves_its_best_checkpoint(no_features, clips, tmp_path):
    """Its notes of where checkpoints lie name the old place."""
    cfg = _validated(tiny.tiny_config(clips, tmp_path / 'old', dict(type='StopAfter', epoch=1)))
    cfg.default_hooks.checkpoint.interval = 2
    cfg.train_cfg.val_begin = 3
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    shutil.move(tmp_path / 'old', tmp_path / 'new')
    cfg.work_dir = str(tmp_path / 'new')
    del cfg.custom_hooks[-1]
    tiny.train(tiny.resumed(cfg, tmp_path / 'new' / 'epoch_2.pth'))
    assert not (tmp_path / 'old').exists()
    name = tiny.read_checkpoint(tmp_path / 'new' / 'best_score_epoch_3.pth')['dare']['file']
    assert (tmp_path / 'new' / name).is_file()
