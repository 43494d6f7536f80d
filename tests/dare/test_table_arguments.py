"""What the table refuses, and that it is unchanged afterwards."""

import math

import pytest
import torch

from pmd_mmaction.dare import DifficultyTable
from tests.dare.writing import write

VIDEOS, TEACHERS, PATCHES = 5, 2, 8


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_names_its_video_and_changes_nothing(bad):
    table = DifficultyTable.create(None, VIDEOS, 1, 4)
    smoothed = torch.ones(3, 1, 2)
    smoothed[1, 0, 1] = bad
    with pytest.raises(ValueError, match=r'video 4 is not finite; nothing was written'):
        write(table, [0, 4, 2], torch.tensor([[0, 1]] * 3), smoothed)
    assert not table.current.any()


@pytest.mark.parametrize('index', [-1, VIDEOS])
def test_a_video_outside_of_the_table_is_refused(index):
    table = DifficultyTable.create(None, VIDEOS, 1, 4)
    message = rf'sample_idx {index} is outside .* {VIDEOS} videos \(0 to {VIDEOS - 1}\)'
    with pytest.raises(IndexError, match=message):
        table.read([0, index])
    with pytest.raises(IndexError, match=message):
        write(table, [0, index], torch.tensor([[0], [1]]), torch.ones(2, 1, 1))
    assert not table.current.any()


@pytest.mark.parametrize(
    ('masked', 'smoothed', 'error', 'message'),
    [
        ([0, 1], (1, 2, 2), ValueError, r'must have shape \(1, M\), got \(2,\)'),
        ([[0], [1]], (1, 2, 1), ValueError, r'must have shape \(1, M\), got \(2, 1\)'),
        ([[0.0, 1.0]], (1, 2, 2), TypeError, 'masked_index must be integers, got float32'),
        ([[True, False]], (1, 2, 2), TypeError, 'masked_index must be integers, got bool'),
        ([[0, 1]], (1, 1, 2), ValueError, r'= \(1, 2, 2\), got \(1, 1, 2\)'),
        ([[0, 1]], (1, 2, 3), ValueError, r'= \(1, 2, 2\), got \(1, 2, 3\)'),
    ],
)
def test_packing_refuses_what_does_not_fit(masked, smoothed, error, message):
    table = DifficultyTable.create(None, VIDEOS, 2, 4)
    with pytest.raises(error, match=message):
        write(table, [0], torch.tensor(masked), torch.ones(smoothed))
    assert not table.current.any()


@pytest.mark.parametrize('sample_idx', [[0.5], [True]])
def test_sample_indexes_are_integers(sample_idx):
    with pytest.raises(TypeError, match='sample_idx must be integers'):
        DifficultyTable.create(None, VIDEOS, 2, 4).read(sample_idx)


def test_sample_indexes_have_one_dimension():
    with pytest.raises(ValueError, match='one-dimensional'):
        DifficultyTable.create(None, VIDEOS, 2, 4).read([[0], [1]])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((0, 2, 8), 'num_videos must be a positive integer, got 0'),
        ((5, -1, 8), 'num_teachers must be a positive integer, got -1'),
        ((5, 2, 8.0), r'num_patches must be a positive integer, got 8\.0'),
        ((5, 2, 8, 'bfloat16'), "dtype must be one of float16, float32, got 'bfloat16'"),
    ],
)
def test_unusable_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DifficultyTable.create(None, *arguments)
