"""Explained variance, rank and spread against loops and decompositions."""

import numpy as np
import pytest
import torch

from pmd_mmaction.functional import (
    effective_rank,
    explained_variance,
    feature_spread,
    target_variance,
)


def _draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('partly', [False, True])
@pytest.mark.parametrize('masks', [1, 2])
def test_variances_are_those_of_loops(masks, partly):
    targets = (_draw(3, 6, 4) + torch.arange(6)[:, None]).numpy()
    masked = _draw(3 * masks, 6, seed=1).argsort(1)[:, :4]
    counted = _draw(3 * masks, 4) > -0.5 if partly else torch.ones(3 * masks, 4, dtype=torch.bool)
    rows = [(r // masks, p) for r in range(3 * masks) for p in masked[r][counted[r]].tolist()]
    assert (len(rows) < 12 * masks) == partly
    tokens = [targets[clip, p] for clip, p in rows]
    centre = np.mean(tokens, 0)
    batch = np.mean([(t - centre) ** 2 for t in tokens])
    place = np.mean([targets[:, p].var(0, ddof=1).mean() for _, p in rows])
    found = target_variance(torch.tensor(targets), masked, counted if partly else None)
    assert found.batch.item() == pytest.approx(batch, rel=1e-5)
    assert found.place.item() == pytest.approx(place, rel=1e-5)
    assert place < batch / 2


def test_the_mean_explains_nothing_and_the_target_all():
    targets, masked = _draw(4, 6, 5), torch.arange(6).expand(4, -1)
    variance = target_variance(targets, masked)
    error = (targets - targets.mean((0, 1))).square().mean()
    assert explained_variance(error, variance.batch).item() == pytest.approx(0, abs=1e-6)
    assert explained_variance(torch.tensor(0.0), variance.batch) == 1
    assert explained_variance(2 * error, variance.batch).item() == pytest.approx(-1, abs=1e-6)


def test_a_position_alone_explains_nothing_around_its_mean():
    means = 10 * _draw(6, 5)
    targets = means + _draw(2000, 6, 5, seed=1)
    variance = target_variance(targets, torch.arange(6).expand(2000, -1))
    error = (targets - means).square().mean()
    assert explained_variance(error, variance.place).item() == pytest.approx(0, abs=0.02)
    assert explained_variance(error, variance.batch) > 0.9
    few = target_variance(targets[:2], torch.arange(6).expand(2, -1)).place
    assert few.item() == pytest.approx(1, abs=0.5)  # not half of it


def test_the_scale_of_the_target_does_not_count():
    targets, masked = _draw(4, 6, 5), torch.arange(6).expand(4, -1)
    error = (0.3 * targets).square().mean()
    for factor in (1, 100):
        batch, place = target_variance(factor * targets, masked)
        assert explained_variance(factor**2 * error, batch).item() == pytest.approx(0.91, abs=0.02)


def test_one_clip_has_no_variance_of_places():
    assert target_variance(_draw(1, 6, 5), torch.arange(6)[None]).place.isnan()


@pytest.mark.parametrize('shape', [(50, 6), (6, 50)])
def test_rank_is_the_participation_ratio_of_the_eigenvalues(shape):
    features = _draw(*shape) * torch.logspace(0, 1, shape[1]) + 5
    values = np.linalg.eigvalsh(np.cov(features.double().numpy(), rowvar=False))
    expected = values.sum() ** 2 / (values**2).sum()
    assert effective_rank(features).item() == pytest.approx(expected, rel=1e-4)


def test_rank_runs_from_a_line_to_the_width():
    direction, along = _draw(7), _draw(100, 1, seed=1)
    assert effective_rank(along * direction + 3).item() == pytest.approx(1, rel=1e-4)
    assert effective_rank(_draw(20000, 7)).item() == pytest.approx(7, rel=0.01)


def test_spread_is_the_share_that_clips_do_not_have_in_common():
    features = _draw(5000, 4)
    assert feature_spread(features).item() == pytest.approx(1, abs=0.01)
    # deviation 1 around (3, 0, 0, 0): sqrt(4 / (9 + 4))
    shifted = features + torch.tensor([3.0, 0, 0, 0])
    assert feature_spread(shifted).item() == pytest.approx((4 / 13) ** 0.5, abs=0.01)
    assert feature_spread(10 * shifted).item() == pytest.approx((4 / 13) ** 0.5, abs=0.01)
    assert feature_spread(torch.ones(5, 3)) == 0
