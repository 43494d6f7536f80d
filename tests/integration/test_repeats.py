"""Pre-training with several clips of each decoded video."""

from pathlib import Path

import pytest
from mmengine.config import Config

from pmd_mmaction.functional import PhaseSchedule
from tests.integration import processes, tiny
from tests.integration.test_preemption import Signal  # noqa: F401  (registers it)

BASES = """_base_ = [
    '{0}/_base_/models/pmd_vit-b.py',
    '{0}/_base_/datasets/k400_pretrain{1}.py',
    '{0}/_base_/schedules/{2}.py',
    '{0}/_base_/default_runtime.py',
]
"""


@pytest.fixture
def configs(tmp_path):
    """The stock pre-training and the one with two clips of each video."""

    def read(*names):
        (tmp_path / 'config.py').write_text(BASES.format(tiny.CONFIGS, *names))
        return Config.fromfile(tmp_path / 'config.py')

    return read('', 'pmd_4x100e'), read('_repeat2', 'pmd_4x50e_repeat2')


def test_clips_steps_and_rates_are_those_of_the_stock_config(configs):
    stock, repeated = configs
    data = repeated.train_dataloader
    assert (data.dataset.type, data.dataset.num_repeats) == ('RepeatAugPathListDataset', 2)
    assert data.collate_fn.type == 'repeat_pseudo_collate'
    assert 2 * data.batch_size == stock.train_dataloader.batch_size
    assert data.dataset.pipeline == stock.train_dataloader.dataset.pipeline
    assert 2 * repeated.auto_scale_lr.base_batch_size == stock.auto_scale_lr.base_batch_size
    assert repeated.optim_wrapper == stock.optim_wrapper
    # Half the epochs, each of twice as many iterations.
    assert 2 * repeated.train_cfg.max_epochs == stock.train_cfg.max_epochs
    for ours, theirs in zip(repeated.custom_hooks, stock.custom_hooks, strict=True):
        assert ours.type == theirs.type
        assert 2 * ours.get('stage_epochs', 0) == theirs.get('stage_epochs', 0)
        phases, others = (
            PhaseSchedule([(p['mask_ratio'], p['epochs']) for p in hook['phases']]).phases
            if 'phases' in hook
            else ()
            for hook in (ours, theirs)
        )
        for phase, other in zip(phases, others, strict=True):
            assert phase.mask_ratio == other.mask_ratio
            assert (2 * phase.begin, 2 * phase.end) == (other.begin, other.end)
    for ours, theirs in zip(repeated.param_scheduler, stock.param_scheduler, strict=True):
        for key in ('begin', 'end', 'T_max'):
            assert 2 * ours.get(key, 0) == theirs.get(key, 0)
        assert {**ours, 'begin': 0, 'end': 0, 'T_max': 0} == {
            **theirs,
            'begin': 0,
            'end': 0,
            'T_max': 0,
        }


def _train(clips: Path, work_dir: Path, stop: dict | None) -> None:
    """One of 12 videos is not there."""
    names = (clips / 'train.txt').read_text().splitlines()
    listed = work_dir.with_suffix('.txt')
    listed.write_text('\n'.join(['missing.mp4 0', *names[1:]]))
    cfg = tiny.tiny_config(
        clips,
        work_dir,
        *([stop] if stop else []),
        ratios=(0.5,),
        epochs=2,
        train_dataloader__batch_size=2,
        train_dataloader__num_workers=1,
        train_dataloader__persistent_workers=True,
        train_dataloader__collate_fn=dict(type='repeat_pseudo_collate'),
        train_dataloader__dataset__type='RepeatAugPathListDataset',
        train_dataloader__dataset__num_repeats=2,
        train_dataloader__dataset__ann_file=str(listed),
        default_hooks__bad_videos__max_bad_fraction=0.2,
        log_level='INFO',
    )
    runner = tiny.train(tiny.resumed(cfg))
    current = tiny.table_of(runner)[0]
    assert not current[0].any() and current[1:].any(axis=(1, 2)).all()


def test_a_run_goes_on_inside_an_epoch(clips, tmp_path):
    log, whole, run = tmp_path / 'log', tmp_path / 'whole', tmp_path / 'run'
    processes.run(_train, log, clips, whole, None)
    told = ''.join(path.read_text() for path in whole.glob('*/*.log'))
    assert 'Total batch 4 = 1 rank(s) x 4 clips x 1 accumulation step(s)' in told
    assert '6 iterations per epoch, 2 clips of each video in every epoch' in told
    assert told.count('Bad video') == 1
    processes.start(_train, log, clips, run, dict(type='Signal', iteration=8, name='SIGTERM')).join(
        processes.TIMEOUT
    )
    assert (run / 'epoch_1_iter_8.pth').exists()
    processes.run(_train, log, clips, run, None)
    expected, found = (tiny.read_checkpoint(d / 'epoch_2.pth') for d in (whole, run))
    for key in ('state_dict', 'optimizer', 'param_schedulers', 'dare'):
        assert tiny.same(expected[key], found[key]), key
    for name in (expected['dare']['file'], 'phase_1_student.pth'):
        assert (whole / name).read_bytes() == (run / name).read_bytes(), name
