"""Operations per second and the time to go, by hand."""

import pytest

from pmd_mmaction.hooks.throughput.pace import Pace

ENDS, GFLOPS = [100, 200, 260], [4.0, 2.0, 3.0]


def test_time_to_go_follows_the_cost_of_each_phase():
    # 10 of the first phase at 1 s, 100 of the second at half of it, 60 of the third at 3/4.
    assert Pace(ENDS, GFLOPS).seconds_left(90, 1.0) == (10, 10 + 50 + 45)
    # In the second phase the measured seconds are of the second phase.
    assert Pace(ENDS, GFLOPS).seconds_left(150, 1.0) == (50, 50 + 90)


def test_the_last_iteration_of_a_phase_belongs_to_it():
    pace = Pace(ENDS, GFLOPS)
    assert [pace.phase(done) for done in (1, 100, 101, 200, 201, 260)] == [0, 0, 1, 1, 2, 2]
    assert pace.seconds_left(100, 1.0) == (0, 50 + 45)
    assert pace.seconds_left(260, 1.0) == (0, 0)


def test_without_counts_all_iterations_take_equally_long():
    pace = Pace(ENDS)
    assert pace.seconds_left(90, 2.0) == (20, 20 + 200 + 120)
    assert pace.gflops_per_second(90, 64, 2.0) is None


def test_operations_per_second():
    assert Pace(ENDS, GFLOPS).gflops_per_second(150, clips=64, seconds=0.5) == pytest.approx(256)
