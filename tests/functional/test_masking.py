"""From masks to indices."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmd_mmaction.functional import gather_tokens, split_mask, visible_count


@pytest.mark.parametrize('ratio, visible', [(0.75, 49), (0.80, 40), (0.85, 30), (0.90, 20)])
def test_visible_places_of_vit_b(ratio, visible):
    assert visible_count(196, ratio) == visible


def test_visible_count_is_exact_for_decimal_ratios():
    # Integers know no rounding: 0.29 * 100 = 28.999... must mask 29.
    for length in (7, 100, 196, 1568):
        for permille in range(1, 1000):
            masked = length * permille // 1000
            assert visible_count(length, permille / 1000) == length - masked


@given(st.data())
def test_split_mask_lists_both_parts_in_order(data):
    patches = data.draw(st.integers(1, 12))
    visible = data.draw(st.integers(0, patches))
    row = st.permutations([False] * visible + [True] * (patches - visible))
    rows = data.draw(st.lists(row, min_size=1, max_size=4))
    visible_index, masked_index = split_mask(torch.tensor(rows), visible)
    for b, mask in enumerate(rows):
        assert visible_index[b].tolist() == [p for p in range(patches) if not mask[p]]
        assert masked_index[b].tolist() == [p for p in range(patches) if mask[p]]


def test_gather_tokens_equals_the_loop():
    tokens = torch.randn(2, 5, 3)
    index = torch.tensor([[4, 0, 0], [1, 2, 3]])
    result = gather_tokens(tokens, index)
    for b in range(2):
        for i in range(3):
            assert torch.equal(result[b, i], tokens[b, index[b, i]])


def test_gather_tokens_takes_an_expanded_table():
    table = torch.randn(1, 5, 3)
    index = torch.tensor([[4, 0], [1, 2]])
    result = gather_tokens(table.expand(2, -1, -1), index)
    assert torch.equal(result, torch.stack([table[0, i] for i in index]))
