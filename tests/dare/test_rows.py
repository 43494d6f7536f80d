"""Rows as ranks send them: packing, copies, and the division of a batch among writers."""

import numpy as np
import pytest
import torch

from pmd_mmaction.dare import (
    DifficultyTable,
    TableLayout,
    check_finite,
    infinite_rows,
    pack_rows,
)
from pmd_mmaction.dare.rows import merge_copies
from tests.dare.writing import write

VIDEOS, TEACHERS, PATCHES = 6, 2, 9


def batch(clips=8, masked=5, seed=0):
    """Videos with repetition, patches in random order, losses."""
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randint(VIDEOS, (clips,), generator=generator),
        torch.rand(clips, PATCHES, generator=generator).argsort(1)[:, :masked],
        torch.rand(clips, TEACHERS, masked, generator=generator),
    )


@pytest.mark.parametrize('dtype', ['float16', 'float32'])
def test_packing_puts_each_loss_at_its_patch(dtype):
    _, masked, smoothed = batch()
    rows = pack_rows(masked, smoothed, TableLayout(VIDEOS, TEACHERS, PATCHES, dtype))
    assert rows.dtype == getattr(torch, dtype) and rows.shape == (8, TEACHERS, PATCHES)
    for b in range(8):
        for patch in range(PATCHES):
            place = (masked[b] == patch).nonzero()
            for k in range(TEACHERS):
                if len(place):
                    assert rows[b, k, patch] == smoothed[b, k, place.item()].to(rows.dtype)
                else:
                    assert rows[b, k, patch].isnan()


def test_packing_is_indifferent_to_the_order_of_the_patches():
    layout = TableLayout(VIDEOS, TEACHERS, PATCHES)
    _, masked, smoothed = batch()
    order = torch.randperm(5, generator=torch.Generator().manual_seed(1))
    a, b = (
        pack_rows(masked, smoothed, layout),
        pack_rows(masked[:, order], smoothed[..., order], layout),
    )
    assert a.numpy().tobytes() == b.numpy().tobytes()


def test_packing_takes_no_gradient_and_leaves_its_arguments_alone():
    _, masked, smoothed = batch()
    smoothed = (smoothed * 1e6).requires_grad_()
    rows = pack_rows(masked, smoothed, TableLayout(VIDEOS, TEACHERS, PATCHES))
    assert not rows.requires_grad
    assert rows[~rows.isnan()].max() == 65504 < smoothed.max()


@pytest.mark.parametrize('bad', [torch.nan, torch.inf, -torch.inf])
def test_a_loss_that_is_not_finite_survives_packing(bad):
    videos, masked, smoothed = batch()
    smoothed[3, 1, 2] = bad
    rows = pack_rows(masked, smoothed, TableLayout(VIDEOS, TEACHERS, PATCHES))
    with pytest.raises(ValueError, match=f'video {videos[3]} is not finite'):
        check_finite(videos, infinite_rows(rows))


def test_a_large_finite_loss_is_not_mistaken_for_an_infinite_one():
    smoothed = torch.full((1, TEACHERS, 1), 65519.0)  # rounds to 65504, 65520 would to infinity
    layout = TableLayout(VIDEOS, TEACHERS, PATCHES)
    for scale in (1, 1000):
        rows = pack_rows(torch.tensor([[0]]), scale * smoothed, layout)
        assert not infinite_rows(rows).any()


def test_rows_without_copies_are_passed_through():
    videos, rows = np.array([3, 1]), np.zeros((2, TEACHERS, PATCHES), np.float16)
    assert merge_copies(videos, rows)[1] is rows


@pytest.mark.parametrize('sharers', [1, 2, 3, 7])
@pytest.mark.parametrize('dtype', ['float16', 'float32'])
def test_shares_together_are_the_whole(sharers, dtype):
    whole, shared = (DifficultyTable.create(None, VIDEOS, TEACHERS, PATCHES, dtype) for _ in 'ab')
    for seed in range(4):
        videos, masked, smoothed = batch(seed=seed)
        write(whole, videos, masked, smoothed)
        rows = pack_rows(masked, smoothed, shared.layout)
        for place in range(sharers):
            before = shared.current.copy()
            shared.write_rows(videos, rows, place, sharers)
            changed = (shared.current != before).any((1, 2)).nonzero()[0]
            assert all(video % sharers == place for video in changed)
    assert whole.current.tobytes() == shared.current.tobytes()
    assert whole.current.any()


def test_a_share_refuses_a_video_of_another_share_outside_of_the_table():
    table = DifficultyTable.create(None, VIDEOS, TEACHERS, PATCHES)
    _, masked, smoothed = batch(clips=2)
    rows = pack_rows(masked, smoothed, table.layout)
    with pytest.raises(IndexError, match='sample_idx 7 is outside'):
        table.write_rows([2, 7], rows, place=0, sharers=2)
    with pytest.raises(ValueError, match=r'rows must have shape \(3, 2, 9\), got \(2, 2, 9\)'):
        table.write_rows([2, 3, 4], rows)
    assert not table.current.any()
