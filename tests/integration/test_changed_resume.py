"""A run that goes on with other settings, or in another work directory."""

import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS

from tests.integration import tiny
from tests.integration.watching import Watch

FALLING = dict(warmup=0.25, eta_min_ratio=0.01)


@HOOKS.register_module(force=True)
class SignalAt(Hook):
    """Asks for the end of the run, in an iteration of training or validation."""

    def __init__(self, iteration=None, in_validation=False):
        self.iteration, self.in_validation = iteration, in_validation

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            self._ask(runner)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.in_validation:
            self._ask(runner)

    @staticmethod
    def _ask(runner):
        from pmd_mmaction.hooks import PreemptionHook

        tiny.hook_of(runner, PreemptionHook)._received = 15


def _config(clips, work_dir, *hooks, last=4, **phase):
    """Two phases of two and some more epochs, whose schedules the phases give."""
    phases = dict(phases=[(0.5, 2), (0.7, last)], schedule=phase.pop('schedule', FALLING)) | phase
    return tiny.tiny_config(
        clips,
        work_dir,
        dict(type='Watch'),
        *hooks,
        phase=phases,
        param_scheduler=None,
        train_cfg=dict(type='ResumableTrainLoop'),
        log_level='WARNING',
    )


def _interrupted(cfg, epoch):
    cfg.custom_hooks.append(dict(type='StopAfter', epoch=epoch))
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    cfg.custom_hooks.pop()


def _rates(runner, epoch):
    return [s['lr'] for s in tiny.hook_of(runner, Watch).steps if s['epoch'] == epoch]


def test_a_phase_that_is_to_come_may_have_another_length(clips, tmp_path):
    _interrupted(_config(clips, tmp_path / 'run'), epoch=0)
    fresh = tiny.train(_config(clips, tmp_path / 'fresh', last=3))
    runner = tiny.train(tiny.resumed(_config(clips, tmp_path / 'run', last=3)))
    for epoch in (1, 2, 3, 4):
        assert _rates(runner, epoch) == pytest.approx(_rates(fresh, epoch))
    assert _rates(runner, 4)[-1] < 0.2 * max(_rates(runner, 3))


@pytest.mark.parametrize(
    'changes, told',
    [
        (dict(last=3), 'CosineAnnealingLR has begun and is changed: .*T_max.*goes on with that of'),
        (dict(schedule=dict(FALLING, eta_min_ratio=0.1)), 'begun and is changed: eta_min_ratio'),
        (dict(schedule=dict(FALLING, warmup=0.0)), 'has 3 schedulers, the config makes 2'),
    ],
)
def test_a_schedule_that_has_begun_stays(clips, tmp_path, changes, told):
    _interrupted(_config(clips, tmp_path), epoch=3)
    with pytest.raises(ValueError, match=f'{told}.*prev_student'):
        tiny.train(tiny.resumed(_config(clips, tmp_path, **changes)))


def test_rates_and_decay_of_the_checkpoint_are_told(clips, tmp_path):
    _interrupted(_config(clips, tmp_path), epoch=0)
    cfg = _config(clips, tmp_path)
    cfg.optim_wrapper.optimizer.update(lr=1e-5, weight_decay=0.5)
    cfg.model.clfa.loss_weight = 0.5
    cfg.auto_scale_lr = dict(enable=True, base_batch_size=2)
    runner = tiny.train(tiny.resumed(cfg))
    assert max(_rates(runner, 1)) > 1e-4
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    used, _, kept = log.partition('the run uses the current one:')[2].partition('keeps these from')
    assert 'model.clfa.loss_weight' in used and 'optimizer' not in used.partition('\n2')[0]
    lines = [line.split()[0] for line in kept.splitlines()[1:9] if line.startswith('  ')]
    assert sorted(set(lines)) == [
        'auto_scale_lr.base_batch_size:',
        'auto_scale_lr.enable:',
        'optim_wrapper.optimizer.lr:',
        'optim_wrapper.optimizer.weight_decay:',
    ]


def test_another_work_directory_gets_the_auxiliary_teacher(clips, tmp_path):
    _interrupted(_config(clips, tmp_path / 'a'), epoch=2)
    cfg = _config(clips, tmp_path / 'b', dict(type='SignalAt', iteration=14))
    checkpoint = tmp_path / 'a' / 'epoch_3.pth'
    with pytest.raises(SystemExit):
        tiny.train(tiny.resumed(cfg, checkpoint))
    students = [tmp_path / name / 'phase_1_student.pth' for name in 'ab']
    assert students[0].read_bytes() == students[1].read_bytes()
    for path in (tmp_path / 'a').iterdir():
        if path.is_file():
            path.unlink()
    tiny.train(tiny.resumed(_config(clips, tmp_path / 'b')))
    assert (tmp_path / 'b' / 'student.pth').is_file()


def test_the_best_checkpoint_of_the_other_run_stays(clips, tmp_path):
    def config(name):
        cfg = _config(clips, tmp_path / name, last=2)
        tiny.validate_frozen(cfg, clips, 1)
        cfg.default_hooks.checkpoint.update(save_best='knn/top1', rule='less')
        return cfg

    _interrupted(config('a'), epoch=1)
    (best,) = (tmp_path / 'a').glob('best_*.pth')
    checkpoint = tiny.read_checkpoint(tmp_path / 'a' / 'epoch_2.pth')
    checkpoint['message_hub']['runtime_info']['best_score'] = 2.0  # all others are better
    torch.save(checkpoint, tmp_path / 'a' / 'epoch_2.pth')
    tiny.train(tiny.resumed(config('b'), tmp_path / 'a' / 'epoch_2.pth'))
    assert best.is_file() and len(list((tmp_path / 'b').glob('best_*.pth'))) == 1


def test_a_stop_in_a_validation_saves_weights_and_average_in_their_places(clips, tmp_path):
    def config(*hooks):
        cfg = _config(clips, tmp_path, dict(type='EMAHook', momentum=0.25), *hooks)
        cfg.default_hooks.checkpoint.interval = 9
        return tiny.validate_frozen(cfg, clips, 1)

    seen = []
    stopping = config(dict(type='SignalAt', in_validation=True))
    runner = tiny.build(stopping)
    ema = tiny.hook_of(runner, EMAHook)
    begin = ema.before_val_epoch
    ema.before_val_epoch = lambda runner: (seen.append(_weights(runner)), begin(runner))
    with pytest.raises(SystemExit):
        tiny.finish(runner)
    again = tiny.build(tiny.resumed(config()))
    watch = tiny.hook_of(again, Watch)
    first = watch.before_train_epoch
    watch.before_train_epoch = lambda runner: (seen.append(_weights(runner)), first(runner))
    tiny.finish(again)
    (trained, average), (trained_after, average_after) = seen[:2]
    assert not torch.equal(trained, average)
    assert torch.equal(trained, trained_after) and torch.equal(average, average_after)


def _weights(runner):
    key = 'backbone.patch_embed.projection.weight'
    average = tiny.hook_of(runner, EMAHook).ema_model.module
    return tuple(model.state_dict()[key].clone() for model in (runner.model, average))


@pytest.mark.parametrize(
    'interval, begin, refused', [(4, 0, True), (3, 1, True), (3, 3, False), (-1, 0, False)]
)
def test_checkpoints_between_two_steps_are_refused(clips, tmp_path, interval, begin, refused):
    cfg = tiny.tiny_config(clips, tmp_path, ratios=(0.5,), epochs=2)
    cfg.train_dataloader.batch_size = 2
    cfg.optim_wrapper.accumulative_counts = 3
    cfg.default_hooks.checkpoint.update(
        by_epoch=False, interval=interval, save_begin=begin, filename_tmpl='iter_{}.pth'
    )
    if refused:
        with pytest.raises(ValueError, match=f'every {interval} iterations.*to multiples of 3'):
            tiny.train(cfg)
    else:
        tiny.train(cfg)
        assert (tmp_path / 'iter_9.pth').is_file() == (interval == 3)
