"""CLFA's closed form against the double loop over layers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from pmd_mmaction.functional import (
    RunningStatistics,
    alignment_distance,
    layer_groups,
)

CLIPS, TOKENS, DIMS = 2, 3, 5


def random_layers(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return [
        2 * torch.randn(CLIPS, TOKENS, DIMS, generator=generator, dtype=torch.float64) + i
        for i in range(count)
    ]


def summarize(layers):
    running = RunningStatistics()
    for features in layers:
        running.add(features)
    return running.result()


def loop_distance(projections, teacher):
    """1/(|H||M|) of the double sum; mean over clips, tokens and channels; and its derivative."""
    share = 1 / (len(projections) * len(teacher) * CLIPS * TOKENS * DIMS)
    total, slopes = 0.0, [torch.zeros_like(z) for z in projections]
    for slope, z in zip(slopes, projections):
        for t in teacher:
            for b in range(CLIPS):
                for p in range(TOKENS):
                    for c in range(DIMS):
                        error = float(z[b, p, c]) - float(t[b, p, c])
                        total += share * error**2
                        slope[b, p, c] += share * 2 * error
    return total, slopes


@pytest.mark.parametrize('students, teachers', [(1, 1), (1, 4), (4, 1), (3, 4)])
def test_closed_form_equals_the_double_loop(students, teachers):
    projections, teacher = random_layers(students, 0), random_layers(teachers, 1)
    for z in projections:
        z.requires_grad_()
    distance = alignment_distance(projections, summarize(teacher))
    slopes = torch.autograd.grad(distance, projections)
    expected, expected_slopes = loop_distance([z.detach() for z in projections], teacher)
    assert distance.item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(list(slopes), expected_slopes, rtol=1e-4, atol=1e-6)


def test_distance_passes_gradcheck():
    group = summarize(random_layers(3, 1))
    # Central differences of a quadratic are exact, so a step far above float32 rounding serves.
    assert gradcheck(
        lambda *z: alignment_distance(z, group),
        [z.requires_grad_() for z in random_layers(2, 0)],
        eps=0.5,
        atol=1e-4,
    )


def test_group_statistics_equal_the_loop():
    layers = random_layers(4, 2)
    group = summarize(layers)
    for b in range(CLIPS):
        for p in range(TOKENS):
            variance = 0.0
            for c in range(DIMS):
                values = [float(layer[b, p, c]) for layer in layers]
                mean = math.fsum(values) / 4
                assert group.mean[b, p, c].item() == pytest.approx(mean, rel=1e-5, abs=1e-6)
                variance += math.fsum((x - mean) ** 2 for x in values) / 4 / DIMS
            assert group.spread[b, p].item() == pytest.approx(variance, rel=1e-4)


def test_spread_of_equal_layers_is_never_negative():
    layer = 100 * torch.randn(4, 50, 8, generator=torch.Generator().manual_seed(0))
    spread = summarize([layer] * 7).spread
    assert (spread >= 0).all()
    assert spread.max() < 1e-2  # the squares are of the order 1e4


def test_statistics_do_not_depend_on_the_order_of_layers():
    layers = random_layers(4, 3)
    forwards, backwards = summarize(layers), summarize(layers[::-1])
    torch.testing.assert_close(forwards.mean, backwards.mean)
    torch.testing.assert_close(forwards.spread, backwards.spread)


def test_statistics_are_float32():
    group = summarize([z.bfloat16() for z in random_layers(2, 0)])
    assert group.mean.dtype == group.spread.dtype == torch.float32


def test_a_group_without_layers_is_refused():
    with pytest.raises(ValueError, match='without layers'):
        RunningStatistics().result()


@pytest.mark.parametrize(
    'depth, shallow, medium, deep',
    [(3, [0], [1], [2]), (12, '1-4', '5-8', '9-12'), (24, '1-8', '9-16', '17-24')],
)
def test_layer_groups_are_those_of_the_paper(depth, shallow, medium, deep):
    def layers(text):  # '5-8' counts from 1
        if isinstance(text, list):
            return text
        first, last = map(int, text.split('-'))
        return list(range(first - 1, last))

    assert [list(third) for third in layer_groups(depth)] == [
        layers(shallow),
        layers(medium),
        layers(deep),
    ]


@given(st.integers(1, 40))
def test_layer_groups_cover_every_layer_once(third):
    thirds = layer_groups(3 * third)
    assert [len(x) for x in thirds] == [third] * 3
    assert [i for x in thirds for i in x] == list(range(3 * third))


def test_given_sizes_replace_the_thirds_where_their_sum_is_the_depth():
    sizes = [(1, 2, 4), (3, 2, 1)]
    assert layer_groups(7, sizes) == (range(1), range(1, 3), range(3, 7))
    assert layer_groups(6, sizes) == (range(3), range(3, 5), range(5, 6))
    assert layer_groups(9, sizes) == layer_groups(9)


@pytest.mark.parametrize('depth', [-3, 0, 1, 2, 4, 10])
def test_a_depth_without_thirds_is_named(depth):
    with pytest.raises(ValueError, match=f'{depth} layers'):
        layer_groups(depth)
