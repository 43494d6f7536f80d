"""What ProgressivePhaseHook does at each epoch, without a training."""

import logging
from types import SimpleNamespace

import pytest
from torch import nn

from pmd_mmaction.hooks import ProgressivePhaseHook
from pmd_mmaction.hooks.curriculum.phase_file import read_phase_file

PHASES = [dict(mask_ratio=0.5, epochs=2), dict(mask_ratio=0.7, epochs=1)]
PHASES += [dict(mask_ratio=0.8, epochs=3)]
LENGTH = 4  # iterations per epoch


class Student(nn.Module):
    """Notes what the hook tells it."""

    needs_auxiliary_teacher = True

    def __init__(self):
        super().__init__()
        self.told = []

    def set_phase(self, phase, previous_ratio):
        self.told.append((phase.index, phase.mask_ratio, previous_ratio))

    def promote_student(self, state_dict=None):
        self.told.append('promoted')

    def student_state_dict(self):
        return {}


@pytest.fixture
def runner(tmp_path):
    return SimpleNamespace(
        model=Student(),
        work_dir=str(tmp_path),
        epoch=0,
        iter=0,
        train_dataloader=range(LENGTH),
        message_hub=SimpleNamespace(update_scalar=lambda *args: None),
        logger=logging.getLogger('test'),
    )


def test_phases_promotions_and_files(runner, tmp_path):
    hook = ProgressivePhaseHook(PHASES)
    for epoch in range(6):
        runner.epoch, runner.iter = epoch, epoch * LENGTH
        hook.before_train_epoch(runner)
    runner.epoch = 6
    hook.after_train(runner)
    first, second, third = (0, 0.5, None), (1, 0.7, 0.5), (2, 0.8, 0.7)
    assert runner.model.told == [
        *(first, first),
        *('promoted', second),
        *('promoted', third, third, third),
    ]
    files = [read_phase_file(tmp_path / f'phase_{number}_student.pth') for number in (1, 2, 3)]
    assert [(f.number, f.mask_ratio) for f in files] == [(1, 0.5), (2, 0.7), (3, 0.8)]


@pytest.mark.parametrize('needed', [True, False])
def test_checkpoints_name_a_teacher_that_is_used(runner, tmp_path, needed):
    """The student of a phase is a result; only PSD cannot go on without it."""
    runner.model.needs_auxiliary_teacher = needed
    hook, checkpoint = ProgressivePhaseHook(PHASES), {}
    runner.epoch, runner.iter = 2, 2 * LENGTH
    hook.before_train_epoch(runner)
    hook.before_save_checkpoint(runner, checkpoint)
    assert (tmp_path / 'phase_1_student.pth').is_file()
    assert checkpoint['pmd'].get('auxiliary_file') == ('phase_1_student.pth' if needed else None)
    assert (checkpoint['pmd']['auxiliary_sha256'] is not None) == needed


def test_a_run_resumed_inside_the_first_epoch_of_a_phase_promotes_nobody(runner):
    runner.epoch, runner.iter = 2, 2 * LENGTH + 1
    ProgressivePhaseHook(PHASES).before_train_epoch(runner)
    assert runner.model.told == [(1, 0.7, 0.5)]


def test_a_run_that_ends_early_has_no_result(runner, tmp_path):
    runner.epoch = 5
    ProgressivePhaseHook(PHASES).after_train(runner)
    assert not list(tmp_path.iterdir())
