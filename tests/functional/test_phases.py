"""The curriculum as a function of the epoch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmd_mmaction.functional import Phase, PhaseSchedule, stage_of

PAPER = [(0.75, 100), (0.80, 100), (0.85, 100), (0.90, 100)]


def test_the_schedule_of_the_paper():
    schedule = PhaseSchedule(PAPER)
    assert schedule.total_epochs == 400
    assert schedule.phases == [
        Phase(0, 0.75, 0, 100),
        Phase(1, 0.80, 100, 200),
        Phase(2, 0.85, 200, 300),
        Phase(3, 0.90, 300, 400),
    ]


@pytest.mark.parametrize(
    'epoch, index', [(0, 0), (99, 0), (100, 1), (199, 1), (200, 2), (300, 3), (399, 3), (400, 3)]
)
def test_phase_at_the_boundaries(epoch, index):
    assert PhaseSchedule(PAPER).at(epoch).index == index


@given(st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_every_epoch_belongs_to_the_phase_that_a_loop_finds(lengths):
    schedule = PhaseSchedule([(0.5, n) for n in lengths])
    expected = [index for index, n in enumerate(lengths) for _ in range(n)]
    assert [schedule.at(e).index for e in range(schedule.total_epochs)] == expected


def test_stages_count_from_the_begin_of_the_phase():
    phase = PhaseSchedule(PAPER).at(100)
    stages = [stage_of(epoch, phase, 32) for epoch in range(100, 200)]
    # the last stage is shorter
    assert stages == [0] * 32 + [1] * 32 + [2] * 32 + [3] * 4


def test_a_phase_shorter_than_a_stage_has_one_stage():
    phase = Phase(0, 0.75, 0, 10)
    assert {stage_of(epoch, phase, 32) for epoch in range(10)} == {0}


def test_no_phases_are_refused():
    with pytest.raises(ValueError, match='phases is empty'):
        PhaseSchedule([])


@pytest.mark.parametrize('ratio', [-0.1, 0, 1, 1.5, float('nan')])
def test_a_ratio_outside_the_open_interval_is_named(ratio):
    with pytest.raises(ValueError, match=f'phase 2: mask_ratio is {ratio}'):
        PhaseSchedule([(0.5, 1), (ratio, 1)])


@pytest.mark.parametrize('epochs', [0, -1, 1.5, '3'])
def test_epochs_must_be_a_whole_number_above_zero(epochs):
    with pytest.raises(ValueError, match='phase 1: epochs is'):
        PhaseSchedule([(0.5, epochs)])


def test_a_falling_ratio_must_be_meant():
    falling = [(0.9, 1), (0.75, 1)]
    with pytest.raises(ValueError, match=r'phase 2: mask_ratio falls from 0\.9 to 0\.75'):
        PhaseSchedule(falling)
    assert PhaseSchedule(falling, allow_decreasing=True).at(1).mask_ratio == 0.75


def test_a_constant_ratio_is_no_fall():
    assert PhaseSchedule([(0.9, 1), (0.9, 2)]).total_epochs == 3
