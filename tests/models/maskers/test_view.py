"""Where patches stand in a view."""

import torch

from pmd_mmaction.models.maskers import View, WholeClipView, is_among, positions_within


def test_places_of_patches():
    within = torch.tensor([[7, 2, 5, 0], [1, 3, 4, 6]])
    index = torch.tensor([[5, 7], [1, 6]])
    assert positions_within(index, within, 8).tolist() == [[2, 0], [0, 3]]


def test_a_patch_that_is_not_there_has_no_place():
    within = torch.tensor([[7, 2, 5, 0]])
    assert positions_within(torch.tensor([[5, 1]]), within, 8).tolist() == [[2, 4]]  # of 0 to 3


def test_tokens_of_the_masked_patches_for_each_mask_of_a_clip():
    tokens = torch.arange(12.0).view(2, 6, 1)  # a token tells its clip and patch
    masked = torch.tensor([[0, 5], [1, 2], [3, 4], [0, 1]])  # two masks of each clip
    view = View(masked, masked)
    assert view.at_masked(tokens)[..., 0].tolist() == [[0, 5], [1, 2], [9, 10], [6, 7]]


def test_which_patches_are_in_a_list():
    index = torch.tensor([[7, 0, 3, 9], [4, 2, 5, 1]])
    patches = torch.tensor([[0, 3, 6], [1, 2, 8]])
    expected = [[i in row for i in wanted] for wanted, row in zip(index.tolist(), patches.tolist())]
    assert is_among(index, patches).tolist() == expected


def test_visible_patches_that_are_decoded_do_not_count():
    visible, decoded = torch.tensor([[0, 4], [1, 5]]), torch.tensor([[0, 1, 2], [3, 5, 6]])
    assert View(visible, decoded).counted is None
    view = WholeClipView(visible, decoded)
    assert view.counted.tolist() == [[False, True, True], [True, False, True]]
    seen, found = view  # as every view
    assert seen is visible and found is decoded


def test_a_view_on_another_device_is_of_its_kind():
    view = WholeClipView(torch.tensor([[0, 4]]), torch.tensor([[1, 4]]))
    moved = view.to('meta')
    assert type(moved) is WholeClipView and {index.device.type for index in moved} == {'meta'}
    assert moved.masked.shape == (1, 2)
