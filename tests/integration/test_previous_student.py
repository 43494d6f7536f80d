"""Runs that begin with a student of an earlier run."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import EpochBasedTrainLoop

from pmd_mmaction.hooks import ProgressivePhaseHook
from tests.integration import tiny
from tests.integration.refusals import refused


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
    runner = tiny.build(cfg)
    tiny.finish(runner)
    return runner, cfg


def test_a_previous_student_is_start_and_auxiliary_teacher(continued, work_dir):
    runner, cfg = continued
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


def test_the_ratio_before_is_known_when_the_plan_is_checked(work_dir):
    path = work_dir / 'phase_2_student.pth'
    hook = ProgressivePhaseHook([(0.9, 1)], prev_student=str(path))
    hook.before_run(SimpleNamespace(_train_loop=object.__new__(EpochBasedTrainLoop)))
    ratio = tiny.read_checkpoint(path)['meta']['mask_ratio']
    assert hook.previous_ratio(hook.phases.phases[0]) == ratio


def test_a_previous_student_of_a_higher_ratio_is_refused(clips, work_dir, tmp_path):
    path = str(work_dir / 'phase_3_student.pth')
    cfg = tiny.tiny_config(clips, tmp_path, ratios=(0.7, 0.85), phase=dict(prev_student=path))
    with pytest.raises(ValueError, match=r'mask ratio 0\.8, above 0\.7.*remove the phases'):
        tiny.train(cfg)


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
    refused(tiny.resumed(cfg), 'not the student that the checkpoint was trained with')
