"""Several masks of a clip: out of one ranking, or handed round the batch."""

import pytest
import torch

from pmd_mmaction.models import CubeMasker, RunningCellMasker, TubeMasker
from pmd_mmaction.models.maskers import Views

GRID, RATIO = (4, 6, 6), 0.75


def draw(choice, num_masks=3, batch=5, masker=TubeMasker, seed=0):
    """Visible patches, ``(batch, num_masks, V)``."""
    views = Views(masker(GRID), num_masks, choice)
    student = views.draw(batch, RATIO, torch.Generator().manual_seed(seed))['student']
    assert (student.visible.diff(dim=1) > 0).all() and (student.masked.diff(dim=1) > 0).all()
    return student.visible.unflatten(0, (batch, num_masks))


@pytest.mark.parametrize('masker', [TubeMasker, CubeMasker, RunningCellMasker])
def test_permuted_masks_are_those_of_the_batch(masker):
    visible = draw('permuted', masker=masker)
    own = [tuple(row.tolist()) for row in visible[:, 0]]
    assert len(set(own)) > 1
    for k in (1, 2):
        found = [tuple(row.tolist()) for row in visible[:, k]]
        assert sorted(found) == sorted(own)


def test_a_permuted_mask_may_be_the_own_one_again():
    draws = [draw('permuted', 2, seed=seed) for seed in (0, 1, 2)]
    again = torch.stack([(visible[:, 0] == visible[:, 1]).all(-1) for visible in draws])
    assert again.any() and not again.all()


def test_disjoint_masks_show_other_patches_each():
    assert all(len(set(rows.flatten().tolist())) == rows.numel() for rows in draw('disjoint'))


def test_the_first_mask_is_the_same_whatever_the_choice():
    assert torch.equal(draw('disjoint')[:, 0], draw('permuted')[:, 0])


def test_one_mask_needs_no_permutation():
    assert torch.equal(draw('permuted', 1), draw('disjoint', 1))


def test_permutations_follow_from_the_seed():
    assert torch.equal(draw('permuted', seed=1), draw('permuted', seed=1))
    assert not torch.equal(draw('permuted', seed=1), draw('permuted', seed=2))


def test_another_choice_is_named():
    with pytest.raises(ValueError, match="mask_choice is 'random'"):
        Views(TubeMasker(GRID), 2, 'random')
