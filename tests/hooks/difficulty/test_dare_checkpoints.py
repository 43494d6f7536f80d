"""Which difficulty tables stay beside which checkpoints."""

import shutil
from pathlib import Path

import pytest
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from pmd_mmaction.hooks import DAREHook
from pmd_mmaction.models import PMDRecognizer
from tests.hooks.tables import table_path
from tests.integration import tiny


def test_the_checkpoint_names_its_table(run):
    for epoch in (3, 4):
        record = tiny.read_checkpoint(Path(run.work_dir) / f'epoch_{epoch}.pth')['dare']
        assert record['file'] == table_path(run, epoch).name
        assert record['digest'] == tiny.table_file.inspect(table_path(run, epoch)).digest


def test_tables_go_with_their_checkpoints(run):
    names = {path.name for path in Path(run.work_dir).iterdir()}
    assert {name for name in names if name.startswith('epoch')} == {'epoch_3.pth', 'epoch_4.pth'}
    assert {name for name in names if name.endswith('.table')} == {
        table_path(run, 3).name,
        table_path(run, 4).name,
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


def test_the_table_of_the_best_checkpoint_stays(no_features, clips, tmp_path, monkeypatch):
    written, save = [], tiny.table_file.save

    def noted(table, path, *args):
        written.append(path.name)
        return save(table, path, *args)

    monkeypatch.setattr(tiny.table_file, 'save', noted)
    cfg = _validated(
        tiny.tiny_config(clips, tmp_path, ratios=(0.5, 0.8), epochs=2, dare=dict(stage_epochs=1))
    )
    tiny.train(cfg)
    assert sorted(path.name for path in tmp_path.glob('*.pth') if 'student' not in path.name) == [
        'best_score_epoch_1.pth',
        'epoch_3.pth',
        'epoch_4.pth',
    ]
    assert sorted(path.name for path in tmp_path.glob('*.table')) == [
        table_path(cfg, epoch).name for epoch in (1, 3, 4)
    ]
    record = tiny.read_checkpoint(tmp_path / 'best_score_epoch_1.pth')['dare']
    assert record['digest'] == tiny.table_file.inspect(tmp_path / record['file']).digest
    # MMEngine saves three times where a best one is found: the table goes along once
    assert written == [table_path(cfg, epoch).name for epoch in (1, 2, 3, 4)]


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


def test_a_hook_that_trains_again_writes_its_new_tables(clips, tmp_path):
    """In the same directory, where the files of the first training have the same names."""
    short = dict(ratios=(0.5,), epochs=1, dare=dict(stage_epochs=1), param_scheduler=None)
    cfg = tiny.tiny_config(clips, tmp_path, **short)
    hook = tiny.hook_of(tiny.train(cfg), DAREHook)
    first = tiny.table_file.inspect(table_path(cfg, 1)).digest
    cfg.randomness.seed = 1
    runner = tiny.build(cfg)
    runner._hooks[runner._hooks.index(tiny.hook_of(runner, DAREHook))] = hook
    tiny.finish(runner)
    found = tiny.table_file.inspect(table_path(cfg, 1)).digest
    assert found != first
    assert tiny.read_checkpoint(tmp_path / 'epoch_1.pth')['dare']['digest'] == found
