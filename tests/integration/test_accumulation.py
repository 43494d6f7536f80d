"""Steps of several batches: their rate, their number, and a run that goes on."""

import pytest

from tests.integration import tiny


def _config(clips, work_dir, *hooks):
    """Two phases of two epochs; 12 clips are a step of 2 x 4 of them, and 4 that are left out."""
    cfg = tiny.tiny_config(
        clips,
        work_dir,
        dict(type='Watch'),
        *hooks,
        ratios=(0.5, 0.8),
        epochs=2,
        dare=dict(stage_epochs=1),
        optim_wrapper__accumulative_counts=2,
        train_dataloader__drop_last=False,
        train_dataloader__batch_sampler=dict(type='WholeStepBatchSampler', accumulative_counts=2),
    )
    cfg.auto_scale_lr = dict(enable=True, base_batch_size=2, accumulative_counts=2)
    return cfg


def test_rate_and_steps_are_those_of_the_total_batch(clips, tmp_path):
    runner = tiny.train(_config(clips, tmp_path))
    steps = tiny.hook_of(runner, tiny.Watch).steps
    assert [step['epoch'] for step in steps] == [0, 0, 1, 1, 2, 2, 3, 3]
    # base rate for 4 clips, steps of 8
    peak = runner.optim_wrapper.optimizer.param_groups[0]['initial_lr']
    assert peak == pytest.approx(2 * 1e-3)
    optimizer = runner.optim_wrapper.optimizer
    assert {state['step'].item() for state in optimizer.state.values()} == {2}  # of one phase


def test_a_run_that_goes_on_ends_as_one_that_was_not_stopped(clips, tmp_path):
    whole = tiny.train(_config(clips, tmp_path / 'whole'))
    with pytest.raises(KeyboardInterrupt):
        tiny.train(_config(clips, tmp_path / 'parts', dict(type='StopAfter', epoch=2)))
    last = tiny.train(tiny.resumed(_config(clips, tmp_path / 'parts')))
    assert tiny.same(tiny.snapshot(whole.model), tiny.snapshot(last.model))


def test_the_log_has_the_scaled_rate(clips, tmp_path):
    short = dict(ratios=(0.5,), epochs=1, dare=dict(stage_epochs=1), param_scheduler=None)
    cfg = tiny.tiny_config(clips, tmp_path, log_level='INFO', **short)
    cfg.auto_scale_lr = dict(enable=True, base_batch_size=16 * cfg.train_dataloader.batch_size)
    tiny.train(cfg)
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert f'learning rate {cfg.optim_wrapper.optimizer.lr / 16:.3g}, ' in log
