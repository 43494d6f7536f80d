"""Phases, restarts and teachers in a training on real mp4 files."""

import json
import math

import pytest
import torch

from pmd_mmaction.hooks import ProgressivePhaseHook
from tests.integration import tiny

LOSSES = {
    f'loss_{term}_{teacher}' for term in ('base', 'pg', 'df', 'al') for teacher in ('img', 'vid')
}
PER_EPOCH = tiny.CLIPS // tiny.BATCH
PER_PHASE = PER_EPOCH * tiny.EPOCHS


@pytest.fixture(scope='module')
def steps(finished):
    """What was noted in each iteration."""
    return tiny.hook_of(finished[0], tiny.Watch).steps


@pytest.fixture(scope='module')
def work_dir(finished):
    """The directory of the finished run."""
    return tiny.Path(finished[1].work_dir)


def test_every_term_is_logged_and_the_total_is_their_sum(steps):
    for step in steps:
        assert step['losses'].keys() == LOSSES | {'loss'}
        total = math.fsum(step['losses'][key] for key in LOSSES)
        assert step['losses']['loss'] == pytest.approx(total, rel=1e-5)
    assert steps[-1]['losses']['loss'] < steps[0]['losses']['loss']


def test_the_log_has_phase_and_mask_ratio(work_dir):
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line['phase'] for line in lines] == [1] * 9 + [2] * 9 + [3] * 9
    assert {(line['phase'], line['mask_ratio']) for line in lines} == set(
        enumerate(tiny.RATIOS, start=1)
    )
    assert LOSSES <= lines[0].keys()


def test_each_epoch_has_the_mask_ratio_of_its_phase(steps):
    assert [step['phase'].mask_ratio for step in steps] == [
        ratio for ratio in tiny.RATIOS for _ in range(PER_PHASE)
    ]
    assert [step['phase'].index for step in steps[::PER_PHASE]] == [0, 1, 2]


def test_every_phase_has_the_learning_rates_of_the_first(steps):
    rates = [step['lr'] for step in steps]
    first = rates[:PER_PHASE]
    assert first[0] == pytest.approx(1e-5) and max(first) == pytest.approx(1e-3)
    assert first[-1] < 0.2 * max(first)
    for start in (PER_PHASE, 2 * PER_PHASE):
        assert rates[start : start + PER_PHASE] == pytest.approx(first, rel=1e-9)


def test_the_optimizer_forgets_its_moments_at_each_boundary_only(steps):
    forgotten = [index for index, step in enumerate(steps) if step['moments'] == 0]
    assert forgotten == [0, PER_PHASE, 2 * PER_PHASE]


def test_the_student_of_each_phase_is_written(finished, work_dir):
    students = tiny.hook_of(finished[0], tiny.Watch).students
    for number, ratio in enumerate(tiny.RATIOS, start=1):
        content = tiny.read_checkpoint(work_dir / f'phase_{number}_student.pth')
        assert content['meta'] == dict(phase=number, mask_ratio=ratio)
        student = students[number * tiny.EPOCHS - 1]
        for key, value in content['state_dict'].items():
            assert torch.equal(value, student[key])
        assert {key.split('.')[0] for key in content['state_dict']} == {'backbone', 'decoders'}
    assert len(list(work_dir.glob('phase_*'))) == 3


# ---------------------------------------------------------------------- teachers


def test_the_auxiliary_teacher_is_the_student_of_the_phase_before_bit_for_bit(finished):
    watch = tiny.hook_of(finished[0], tiny.Watch)
    for epoch, teacher in watch.auxiliary.items():
        phase = epoch // tiny.EPOCHS
        if phase == 0:
            assert teacher is None
        else:
            assert tiny.same(teacher, watch.students[phase * tiny.EPOCHS - 1])


def test_progressive_loss_is_zero_in_the_first_phase_only(steps):
    for step in steps:
        for key in ('loss_pg_img', 'loss_pg_vid'):
            assert (step['losses'][key] == 0) == (step['phase'].index == 0)


def test_teachers_do_not_change(finished):
    runner, cfg = finished
    fresh = tiny.build(cfg)
    fresh._init_model_weights()
    for name, teacher in runner.model.teachers.items():
        other = fresh.model.teachers[name]
        assert not teacher.network.training
        assert tiny.same(tiny.snapshot(teacher.network), tiny.snapshot(other.network))


def test_a_teacher_changes_if_it_is_trained(finished):
    """The comparison above can fail."""
    teacher = finished[0].model.teachers['img'].network
    before = tiny.snapshot(teacher)
    with torch.no_grad():
        parameter = next(teacher.parameters())
        parameter.add_(1e-3)
        assert not tiny.same(before, tiny.snapshot(teacher))
        parameter.sub_(1e-3)


def test_no_teacher_is_in_a_checkpoint(finished, work_dir):
    content = tiny.read_checkpoint(work_dir / 'epoch_9.pth')
    assert {key.split('.')[0] for key in content['state_dict']} == {'backbone', 'decoders', 'neck'}
    trained = sum(len(group['params']) for group in content['optimizer']['param_groups'])
    assert trained == len(list(finished[0].model.parameters()))
    assert len(content['optimizer']['state']) <= trained
    assert (work_dir / 'epoch_9.pth').stat().st_size < 2**22


def test_the_auxiliary_teacher_is_the_same_after_resuming_in_the_middle_of_a_phase(
    finished, clips, tmp_path
):
    cfg = tiny.tiny_config(clips, tmp_path, dict(type='StopAfter', epoch=3))
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    cfg.custom_hooks[-1] = dict(type='Watch')
    watch = tiny.hook_of(tiny.train(tiny.resumed(cfg)), tiny.Watch)
    whole = tiny.hook_of(finished[0], tiny.Watch)
    assert min(watch.auxiliary) == 4
    for epoch, teacher in watch.auxiliary.items():
        assert tiny.same(teacher, whole.auxiliary[epoch])
    assert tiny.same(watch.students[8], whole.students[8])


# ---------------------------------------------------------------------- restart=False


def test_without_restart_one_schedule_runs_through(clips, tmp_path):
    cfg = tiny.tiny_config(
        clips, tmp_path, dict(type='Watch'), ratios=(0.5, 0.8), phase=dict(restart=False)
    )
    cfg.param_scheduler = [
        dict(type='CosineAnnealingLR', begin=0, end=6, T_max=6, convert_to_iter_based=True)
    ]
    watch = tiny.hook_of(tiny.train(cfg), tiny.Watch)
    rates = [step['lr'] for step in watch.steps]
    assert rates == sorted(rates, reverse=True) and len(set(rates)) == 18
    assert [step['moments'] > 0 for step in watch.steps] == [False] + [True] * 17
    assert watch.auxiliary[3] is not None


# ---------------------------------------------------------------------- prev_student


@pytest.fixture(scope='module')
def continued(clips, work_dir, tmp_path_factory):
    """A run that begins with the second student of the finished run."""
    cfg = tiny.tiny_config(
        clips,
        tmp_path_factory.mktemp('continued'),
        dict(type='Watch'),
        ratios=(0.8, 0.85),
        epochs=2,
        phase=dict(prev_student=str(work_dir / 'phase_2_student.pth')),
    )
    return tiny.build(cfg), cfg


def test_a_previous_student_is_start_and_auxiliary_teacher(continued, work_dir):
    runner, cfg = continued
    tiny.finish(runner)
    previous = tiny.read_checkpoint(work_dir / 'phase_2_student.pth')['state_dict']
    watch = tiny.hook_of(runner, tiny.Watch)
    assert all(torch.equal(watch.start[key], previous[key]) for key in previous)
    for epoch in (0, 1):
        assert all(torch.equal(watch.auxiliary[epoch][key], previous[key]) for key in previous)
    assert tiny.same(watch.auxiliary[2], watch.students[1])
    names = sorted(path.name for path in tiny.Path(cfg.work_dir).glob('phase_*'))
    assert names == ['phase_3_student.pth', 'phase_4_student.pth']
    content = tiny.read_checkpoint(tiny.Path(cfg.work_dir) / 'phase_4_student.pth')
    assert content['meta'] == dict(phase=4, mask_ratio=0.85)
    assert runner.message_hub.get_scalar('train/phase').current() == 4


def test_a_continued_run_resumes_in_each_of_its_phases(continued, clips, tmp_path):
    whole = tiny.hook_of(continued[0], tiny.Watch)
    cfg = continued[1]
    for epoch in (0, 2):
        cfg.work_dir = str(tmp_path / str(epoch))
        cfg.custom_hooks[-1] = dict(type='StopAfter', epoch=epoch)
        with pytest.raises(KeyboardInterrupt):
            tiny.train(cfg)
        cfg.custom_hooks[-1] = dict(type='Watch')
        watch = tiny.hook_of(tiny.train(tiny.resumed(cfg)), tiny.Watch)
        assert tiny.same(watch.auxiliary[epoch + 1], whole.auxiliary[epoch + 1])
        assert tiny.same(watch.students[3], whole.students[3])
        assert (tmp_path / str(epoch) / 'phase_4_student.pth').is_file()


def test_a_previous_student_of_a_higher_ratio_is_refused(clips, work_dir, tmp_path):
    path = str(work_dir / 'phase_3_student.pth')
    cfg = tiny.tiny_config(clips, tmp_path, ratios=(0.7, 0.85), phase=dict(prev_student=path))
    with pytest.raises(ValueError, match=r'mask ratio 0\.8, above 0\.7.*drop the phases'):
        tiny.train(cfg)


# ---------------------------------------------------------------------- what is refused


def _refused(cfg, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        tiny.train(cfg)


def test_epochs_that_do_not_add_up_are_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, train_cfg__max_epochs=8)
    _refused(cfg, 'phases have 9 epochs together, but train_cfg.max_epochs is 8')


@pytest.mark.parametrize(('ratio', 'what'), [(0.05, 'masked'), (1 - 1e-9, 'visible')])
def test_a_ratio_that_leaves_nothing_is_refused_before_training(clips, tmp_path, ratio, what):
    cfg = tiny.tiny_config(clips, tmp_path, ratios=sorted([0.5, ratio]), dare=dict(stage_epochs=1))
    _refused(cfg, f'mask_ratio {ratio} leaves no {what} patch.*choose a ratio')
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_schedule_across_a_boundary_is_refused(clips, tmp_path, by_epoch):
    cfg = tiny.tiny_config(clips, tmp_path)
    unit = 1 if by_epoch else PER_EPOCH
    cfg.param_scheduler = [
        dict(type='CosineAnnealingLR', begin=2 * unit, end=5 * unit, T_max=3, by_epoch=by_epoch)
    ]
    _refused(cfg, 'CosineAnnealingLR runs across epoch 3.*restart=False')


def test_a_lost_or_changed_phase_file_is_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, dict(type='StopAfter', epoch=3))
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    path = tmp_path / 'phase_1_student.pth'
    content = tiny.read_checkpoint(path)
    content['state_dict']['backbone.norm.bias'] += 1
    torch.save(content, path)
    last = tiny.resumed(cfg, tmp_path / 'epoch_4.pth')
    _refused(last, 'not the student that the checkpoint was trained with.*restore')
    path.unlink()
    with pytest.raises(FileNotFoundError, match='auxiliary teacher.*Copy it'):
        tiny.train(last)


def test_progressive_distillation_can_be_off(clips, tmp_path):
    short = dict(epochs=1, dare=dict(stage_epochs=1))
    cfg = tiny.tiny_config(clips, tmp_path, dict(type='Watch'), model__psd=None, **short)
    cfg.param_scheduler = None
    runner = tiny.train(cfg)
    watch = tiny.hook_of(runner, tiny.Watch)
    assert set(watch.auxiliary.values()) == {None}
    assert not any(key.startswith('loss_pg') for key in watch.steps[-1]['losses'])
    assert tiny.hook_of(runner, ProgressivePhaseHook)._auxiliary_sha256 is not None
    assert len(list(tmp_path.glob('phase_*'))) == 3


def test_another_number_of_iterations_per_epoch_is_refused_on_resume(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, dict(type='StopAfter', epoch=1))
    cfg.default_hooks.checkpoint.type = 'CheckpointHook'  # says nothing of batches
    cfg.default_hooks.pop('preemption')
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    cfg.custom_hooks.pop()
    cfg.train_dataloader.batch_size = 2
    _refused(tiny.resumed(cfg), 'epoch has 6 iterations now.*same total batch')


def test_a_changed_previous_student_is_refused_on_resume(clips, work_dir, tmp_path):
    path = tmp_path / 'student.pth'
    path.write_bytes((work_dir / 'phase_2_student.pth').read_bytes())
    cfg = tiny.tiny_config(
        clips,
        tmp_path / 'run',
        dict(type='StopAfter', epoch=0),
        ratios=(0.8,),
        epochs=2,
        phase=dict(prev_student=str(path)),
    )
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    cfg.custom_hooks.pop()
    path.write_bytes((work_dir / 'phase_1_student.pth').read_bytes())
    _refused(tiny.resumed(cfg), 'not the student that the checkpoint was trained with')


def test_without_step_seeds_a_run_is_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path)
    cfg.custom_hooks.pop(0)
    _refused(cfg, 'StepSeedHook')


@pytest.mark.parametrize(
    'steps, scale, match',
    [(2, False, 'no multiple of accumulative_counts=2'), (3, True, 'optimizer.lr for the total')],
)
def test_accumulation_that_loses_gradients_or_rate_is_refused(clips, tmp_path, steps, scale, match):
    cfg = tiny.tiny_config(clips, tmp_path, optim_wrapper__accumulative_counts=steps)
    cfg.auto_scale_lr = dict(enable=scale, base_batch_size=256)
    _refused(cfg, match)


def test_a_run_resumes_from_a_checkpoint_in_another_directory(clips, finished, tmp_path):
    old = tmp_path / 'old'
    cfg = tiny.tiny_config(clips, old, dict(type='StopAfter', epoch=3))
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    cfg.work_dir = str(tmp_path / 'new')
    cfg.custom_hooks[-1] = dict(type='Watch')
    watch = tiny.hook_of(tiny.train(tiny.resumed(cfg, old / 'epoch_4.pth')), tiny.Watch)
    whole = tiny.hook_of(finished[0], tiny.Watch)
    assert tiny.same(watch.students[8], whole.students[8])
