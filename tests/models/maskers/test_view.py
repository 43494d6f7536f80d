"""Where patches stand in a view."""

import torch

from pmd_mmaction.models.maskers import View, places


def test_places_of_patches():
    within = torch.tensor([[7, 2, 5, 0], [1, 3, 4, 6]])
    index = torch.tensor([[5, 7], [1, 6]])
    assert places(index, within, 8).tolist() == [[2, 0], [0, 3]]


def test_a_patch_that_is_not_there_has_no_place():
    within = torch.tensor([[7, 2, 5, 0]])
    assert places(torch.tensor([[5, 1]]), within, 8).tolist() == [[2, 4]]  # of 0 to 3


def test_tokens_of_the_masked_patches_for_each_mask_of_a_clip():
    tokens = torch.arange(12.0).view(2, 6, 1)  # a token tells its clip and patch
    masked = torch.tensor([[0, 5], [1, 2], [3, 4], [0, 1]])  # two masks of each clip
    view = View(masked, masked)
    assert view.at_masked(tokens)[..., 0].tolist() == [[0, 5], [1, 2], [9, 10], [6, 7]]
