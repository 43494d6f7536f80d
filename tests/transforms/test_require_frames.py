"""Videos that are too short are refused."""

import pytest

from pmd_mmaction.transforms import RequireFrames


def test_long_enough_passes_and_short_is_refused():
    results = dict(total_frames=2)
    assert RequireFrames(2)(dict(results)) == results
    with pytest.raises(ValueError, match='2 of at least 3 frames'):
        RequireFrames(3)(results)


@pytest.mark.parametrize('wrong', [0, -1, 1.5, None])
def test_a_wrong_minimum_is_refused(wrong):
    with pytest.raises(ValueError, match='minimum is'):
        RequireFrames(wrong)


def test_repr():
    assert repr(RequireFrames(2)) == 'RequireFrames(minimum=2)'
