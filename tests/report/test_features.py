import numpy as np

from pmd_mmaction.report.features import principal_colours, project


def test_the_first_axis_is_that_of_the_largest_spread():
    rows = np.random.default_rng(0).normal(size=(200, 5)) * [1, 9, 1, 1, 3]
    scores = project(rows, 2)
    assert abs(np.corrcoef(scores[:, 0], rows[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(scores[:, 1], rows[:, 4])[0, 1]) > 0.95


def test_fewer_rows_than_components():
    assert project(np.ones((1, 4)), 3).tolist() == [[0, 0, 0]]


def test_colours_tell_two_kinds_of_patches_apart():
    features = np.zeros((2, 6, 8), np.float32)
    features[:, :3, 0] = 1
    colours = principal_colours(features)
    assert colours.shape == (2, 6, 3) and colours.dtype == np.uint8
    assert (abs(colours[:, :3, 0].astype(int) - colours[:, 3:, 0]) == 255).all()
