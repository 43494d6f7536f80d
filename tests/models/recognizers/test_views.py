"""Which patches the student and the auxiliary teacher see."""

import pytest
import torch

from pmd_mmaction.models import CubeMasker, RunningCellMasker, TubeMasker
from pmd_mmaction.models.recognizers.views import draw_view


def draw(masker, aux_ratio):
    return draw_view(masker, 3, 0.85, aux_ratio, torch.Generator().manual_seed(0))


@pytest.mark.parametrize('masker_type', [TubeMasker, CubeMasker, RunningCellMasker])
@pytest.mark.parametrize('aux_ratio', [None, 0.5, 0.85])
def test_both_see_part_of_the_same_patches(masker_type, aux_ratio):
    view = draw(masker_type((2, 4, 4)), aux_ratio)
    for b in range(3):
        visible, masked = set(view.visible_index[b].tolist()), set(view.masked_index[b].tolist())
        aux_visible = set(view.aux_visible_index[b].tolist())
        aux_masked = set(view.aux_masked_index[b].tolist())
        assert visible | masked == aux_visible | aux_masked == set(range(32))
        assert not visible & masked and not aux_visible & aux_masked
        assert visible <= aux_visible
        assert (visible == aux_visible) == (aux_ratio != 0.5)


@pytest.mark.parametrize('masker_type', [TubeMasker, CubeMasker, RunningCellMasker])
@pytest.mark.parametrize('aux_ratio', [None, 0.5])
def test_each_sees_what_the_masker_shows_at_its_ratio(masker_type, aux_ratio):
    masker = masker_type((2, 4, 4))
    view = draw(masker, aux_ratio)
    ranks = masker.rank(3, torch.Generator().manual_seed(0))
    for ratio, index in ((0.85, view.visible_index), (aux_ratio or 0.85, view.aux_visible_index)):
        hidden = masker.mask(ranks, ratio)
        assert torch.equal(torch.ones_like(hidden).scatter(1, index, False), hidden)


@pytest.mark.parametrize('aux_ratio', [None, 0.5])
def test_decoded_patches_are_found_for_the_auxiliary_teacher(aux_ratio):
    view = draw(CubeMasker((2, 4, 4)), aux_ratio)
    tokens = torch.arange(32.0).view(1, 32, 1).expand(3, -1, 2)  # a token tells its patch
    decoded = view.masked(tokens)
    assert torch.equal(decoded[..., 0].long(), view.masked_index)
    assert torch.equal(view.aux_masked(decoded)[..., 0].long(), view.aux_masked_index)
