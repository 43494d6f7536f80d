"""Schedulers and the length of a run follow from the phases."""

import pytest

from pmd_mmaction.functional import PhaseSchedule
from pmd_mmaction.hooks import ProgressivePhaseHook
from pmd_mmaction.hooks.curriculum.phase_schedulers import phase_schedulers
from tests.integration import tiny


def spans(configs):
    return [(cfg['type'], cfg['begin'], cfg['end']) for cfg in configs]


def test_each_phase_has_a_warm_up_and_a_cosine():
    phases = PhaseSchedule([(0.75, 100), (0.9, 200)])
    configs = phase_schedulers(phases, restart=True, eta_min_ratio=2 / 3)
    assert spans(configs) == [
        ('LinearLR', 0, 10),
        ('CosineAnnealingLR', 10, 100),
        ('LinearLR', 100, 120),
        ('CosineAnnealingLR', 120, 300),
    ]
    assert [cfg.get('T_max') for cfg in configs] == [None, 90, None, 180]


def test_without_a_restart_there_is_one_schedule():
    phases = PhaseSchedule([(0.75, 100), (0.9, 200)])
    assert spans(phase_schedulers(phases, restart=False)) == [
        ('LinearLR', 0, 30),
        ('CosineAnnealingLR', 30, 300),
    ]


def test_a_cosine_may_be_longer_than_its_phase():
    phases = PhaseSchedule([(0.75, 100), (0.9, 200)])
    configs = phase_schedulers(phases, restart=True, extra_epochs=1)
    assert spans(configs) == spans(phase_schedulers(phases, restart=True))
    assert [cfg.get('T_max') for cfg in configs] == [None, 91, None, 181]


def test_no_warm_up():
    configs = phase_schedulers(PhaseSchedule([(0.9, 4)]), restart=True, warmup=0)
    assert spans(configs) == [('CosineAnnealingLR', 0, 4)]


@pytest.mark.parametrize('epochs, top', [(1, 0), (2, 1), (5, 4)])
def test_a_long_warm_up_leaves_an_epoch_to_the_cosine(epochs, top):
    configs = phase_schedulers(PhaseSchedule([(0.9, epochs)]), restart=True, warmup=0.9)
    assert spans(configs)[-1] == ('CosineAnnealingLR', top, epochs)


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    return tiny.make_clips(tmp_path_factory.mktemp('data') / 'clips')


SCHEDULE = dict(warmup=1 / 3, start_factor=0.01, eta_min_ratio=0.01)


def said_once(clips, work_dir, **phase):
    """A config whose phases say everything."""
    cfg = tiny.tiny_config(clips, work_dir, phase=dict(schedule=SCHEDULE, **phase))
    cfg.train_cfg.pop('max_epochs')
    cfg.param_scheduler = None
    return cfg


def test_a_run_whose_phases_say_everything_equals_one_with_schedulers_by_hand(clips, tmp_path):
    by_hand = tiny.train(tiny.tiny_config(clips, tmp_path / 'a'))
    phases = list(zip(tiny.RATIOS, [tiny.EPOCHS] * 3))  # pairs, as on the command line
    once = tiny.train(said_once(clips, tmp_path / 'b', phases=phases))
    assert once.epoch == by_hand.epoch == once.max_epochs == 9
    assert tiny.same(once.model.state_dict(), by_hand.model.state_dict())
    assert tiny.same(once.optim_wrapper.state_dict(), by_hand.optim_wrapper.state_dict())


def test_a_resumed_run_goes_on_with_the_same_schedulers(clips, tmp_path):
    whole = tiny.train(said_once(clips, tmp_path / 'a'))
    cfg = said_once(clips, tmp_path / 'b')
    cfg.custom_hooks.append(dict(type='StopAfter', epoch=4))
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    del cfg.custom_hooks[-1]
    again = tiny.train(tiny.resumed(cfg))
    assert tiny.same(again.model.state_dict(), whole.model.state_dict())
    again.call_hook('before_run')  # as a validation does after the training


def test_a_validation_alone_needs_no_schedule(clips, tmp_path):
    cfg = tiny.validate_frozen(said_once(clips, tmp_path), clips, interval=1)
    assert 'knn/top1' in tiny.build(cfg).val()


def test_schedulers_said_twice_are_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, phase=dict(schedule=SCHEDULE))
    with pytest.raises(ValueError, match='the config has param_scheduler too'):
        tiny.train(cfg)


def test_schedulers_without_an_end_last_as_long_as_the_phases(clips, tmp_path):
    """MMEngine ends them with the run, whose length it asks for before it calls the hooks."""
    cfg = said_once(clips, tmp_path, restart=False)
    cfg.custom_hooks[1].schedule = None
    cfg.param_scheduler = [
        dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
    ]
    runner = tiny.train(cfg)
    assert [scheduler.end for scheduler in runner.param_schedulers] == [runner.max_iters]
    assert runner.optim_wrapper.get_lr()['lr'][0] < 1e-5  # of 1e-3


@pytest.mark.parametrize('schedule', [SCHEDULE, {}])
def test_a_loop_that_asks_for_no_schedulers_is_refused(clips, tmp_path, schedule):
    cfg = said_once(clips, tmp_path)
    cfg.custom_hooks[1].schedule = schedule
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=9)
    with pytest.raises(ValueError, match='but this EpochBasedTrainLoop was built without it: set'):
        tiny.train(cfg)


def test_a_length_that_nobody_says_is_refused(clips, tmp_path):
    cfg = said_once(clips, tmp_path)
    cfg.custom_hooks = []
    with pytest.raises(ValueError, match='the length of the run is not set'):
        tiny.train(cfg)


@pytest.mark.parametrize(
    'schedule, message',
    [
        (dict(warm_up=0.1), "schedule has an unknown key 'warm_up'"),
        (dict(warmup=1.0), 'warmup is 1.0'),
        (dict(start_factor=0), 'start_factor is 0'),
        (dict(eta_min_ratio=-1), 'eta_min'),
        (dict(extra_epochs=0.5), 'extra_epochs is 0.5; it must be a whole number'),
        (3, 'schedule is 3; it must be a dict'),
    ],
)
def test_an_impossible_schedule_is_named(schedule, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ProgressivePhaseHook([(0.75, 2)], schedule=schedule)
