"""Frozen teachers and the auxiliary teacher over the phases of a training."""

import pytest
import torch

from pmd_mmaction.hooks import ProgressivePhaseHook
from tests.integration import tiny


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
    assert {key.split('.')[0] for key in content['state_dict']} == {'backbone', 'decoders', 'terms'}
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


def test_progressive_distillation_can_be_off(clips, tmp_path):
    short = dict(epochs=1, dare=dict(stage_epochs=1))
    cfg = tiny.tiny_config(clips, tmp_path, dict(type='Watch'), model__psd=None, **short)
    cfg.param_scheduler = None
    runner = tiny.train(cfg)
    watch = tiny.hook_of(runner, tiny.Watch)
    assert set(watch.auxiliary.values()) == {None}
    assert not any(key.startswith('loss_pg') for key in watch.steps[-1]['losses'])
    assert tiny.hook_of(runner, ProgressivePhaseHook)._auxiliary_sha256 is None
    assert len(list(tmp_path.glob('phase_*'))) == 3
