"""Pre-training with several clips of each decoded video."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from tests.integration import processes, tiny
from tests.integration.shipped import epochs_of
from tests.integration.test_preemption import Signal  # noqa: F401  (registers it)

DOCS = tiny.ROOT / 'docs' / 'data.md'


@pytest.fixture
def configs(tmp_path):
    """The stock pre-training and the one with two clips of each video that docs/data.md gives."""
    text = DOCS.read_text(encoding='utf-8')
    code = next(c for c in re.findall(r'```python\n(.*?)```', text, re.S) if 'repeat2' in c)
    (tmp_path / 'config.py').write_text(code.replace("'../", f"'{tiny.CONFIGS}/"))
    stock = Config.fromfile(tiny.CONFIGS / 'pmd' / 'vit-b_k400_pretrain.py')
    return stock, Config.fromfile(tmp_path / 'config.py')


def test_clips_steps_and_rates_are_those_of_the_stock_config(configs):
    stock, repeated = configs
    data = repeated.train_dataloader
    assert (data.dataset.type, data.dataset.num_repeats) == ('RepeatAugPathListDataset', 2)
    assert data.collate_fn.type == 'clip_collate'
    assert 2 * data.batch_size == stock.train_dataloader.batch_size
    assert data.dataset.pipeline == stock.train_dataloader.dataset.pipeline
    assert 2 * repeated.auto_scale_lr.base_batch_size == stock.auto_scale_lr.base_batch_size
    assert repeated.optim_wrapper == stock.optim_wrapper
    # Half the epochs, each of twice as many iterations.
    ours, theirs = repeated.default_hooks, stock.default_hooks
    assert 2 * ours.difficulty.stage_epochs == theirs.difficulty.stage_epochs
    halved = [(ratio, 2 * epochs) for ratio, epochs in ours.curriculum.phases]
    assert halved == [tuple(phase) for phase in theirs.curriculum.phases]
    assert ours.curriculum.schedule == theirs.curriculum.schedule
    assert 2 * epochs_of(repeated) == epochs_of(stock)


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
        train_dataloader__collate_fn=dict(type='clip_collate'),
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
    assert '6 iterations per epoch, 2 clips per video and epoch' in told
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


def test_two_masks_of_a_clip_update_every_patch_at_each_visit(clips, tmp_path):
    """Their visible sets are disjoint, so each patch is masked in one of them at least."""
    cfg = tiny.tiny_config(clips, tmp_path, ratios=(0.5,), epochs=2, model__num_masks=2)
    cfg.custom_hooks[2].update(stage_epochs=1, reset_per_phase=False)
    current, _ = tiny.table_of(tiny.train(cfg))
    assert current.shape == (tiny.CLIPS, 2, tiny.PATCHES)
    assert (current > 0).all()
