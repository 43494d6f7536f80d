"""k nearest neighbours against a loop and against scikit-learn."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.logging import MMLogger
from sklearn.neighbors import KNeighborsClassifier

from pmd_mmaction.evaluation import KNNMetric, knn_scores, topk_accuracy


def features(count, seed, dims=6):
    return torch.randn(count, dims, generator=torch.Generator().manual_seed(seed))


BANK, LABELS, QUERY = features(40, 0), torch.arange(40) % 4, features(9, 1)


def loop(bank, labels, query, k, temperature):
    """Weighted votes in Python numbers."""
    result = []
    for q in query.double():
        similar = [(torch.dot(q, b) / q.norm() / b.norm()).item() for b in bank.double()]
        order = sorted(range(len(bank)), key=lambda i: -similar[i])[:k]
        votes = [0.0] * (int(labels.max()) + 1)
        for i in order:
            weight = 1 if temperature is None else math.exp(similar[i] / temperature)
            votes[int(labels[i])] += weight
        result.append([v / sum(votes) for v in votes])
    return torch.tensor(result)


@pytest.mark.parametrize('k', [1, 7, 40])
@pytest.mark.parametrize('temperature', [0.07, 1.0, None])
def test_votes_equal_the_loop(k, temperature):
    scores = knn_scores(BANK, LABELS, QUERY, k, temperature)
    shares = scores / scores.sum(1, keepdim=True)
    torch.testing.assert_close(shares, loop(BANK, LABELS, QUERY, k, temperature), atol=1e-5, rtol=0)


@pytest.mark.parametrize('k', [1, 5, 11])
def test_plain_votes_equal_scikit_learn(k):
    model = KNeighborsClassifier(k, metric='cosine').fit(BANK.numpy(), LABELS.numpy())
    scores = knn_scores(BANK, LABELS, QUERY, k, None)
    assert scores.argmax(1).tolist() == model.predict(QUERY.numpy()).tolist()


def test_chunks_change_nothing():
    whole = knn_scores(BANK, LABELS, QUERY, 7)
    torch.testing.assert_close(knn_scores(BANK, LABELS, QUERY, 7, chunk=2), whole)


@given(st.permutations(range(40)))
def test_the_order_of_the_bank_does_not_matter(order):
    found = knn_scores(BANK[list(order)], LABELS[list(order)], QUERY, 7)
    torch.testing.assert_close(found, knn_scores(BANK, LABELS, QUERY, 7))


def test_a_small_temperature_does_not_overflow():
    scores = knn_scores(BANK, LABELS, BANK[:3], 5, 1e-4)
    assert scores.isfinite().all()
    assert scores.argmax(1).tolist() == LABELS[:3].tolist()


@pytest.mark.parametrize('k', [0, 41])
def test_too_many_neighbours_are_refused(k):
    with pytest.raises(ValueError, match=f'k is {k}, but the bank holds 40'):
        knn_scores(BANK, LABELS, QUERY, k)


def test_all_of_a_small_bank_vote():
    few = KNNMetric(k=50).score(BANK, LABELS, QUERY, LABELS[: len(QUERY)])
    assert few == KNNMetric(k=40).score(BANK, LABELS, QUERY, LABELS[: len(QUERY)])


# --- accuracies ---


def test_a_class_without_a_vote_is_not_among_the_best_five():
    """Two neighbours have at most two classes, whatever the order of the others."""
    labels = torch.arange(20) // 2
    features = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    found = KNNMetric(k=2).score(features, labels, features.roll(7, 0), labels)
    votes = knn_scores(features, labels, features.roll(7, 0), 2)
    assert found['top5'] == (votes[torch.arange(20), labels] > 0).double().mean().item() < 0.5


def test_accuracies_by_hand():
    scores = torch.tensor([[3.0, 2, 1, 0, 0, 0], [0, 5, 4, 3, 2, 1], [1, 1, 1, 1, 1, 1]])
    found = topk_accuracy(scores, torch.tensor([0, 0, 4]))
    assert found == dict(top1=1 / 3, top5=2 / 3)


def test_few_classes_have_no_top5():
    assert topk_accuracy(torch.eye(5), torch.arange(5)) == dict(top1=1.0)


def test_one_class_has_a_top1():
    assert topk_accuracy(torch.ones(2, 1), torch.tensor([0, 1])) == dict(top1=0.5)


def test_a_class_outside_the_bank_is_wrong():
    assert topk_accuracy(torch.eye(2), torch.tensor([0, 7]))['top1'] == 0.5


# --- the metric ---


def samples(features, labels, split):
    return [
        dict(feature=f, gt_label=torch.tensor([y]), split=split) for f, y in zip(features, labels)
    ]


def test_the_metric_separates_bank_and_query():
    metric = KNNMetric(k=5)
    mixed = samples(BANK, LABELS, 'bank') + samples(BANK[:8] + 0.01, LABELS[:8], 'query')
    for start in range(0, len(mixed), 7):
        metric.process(None, mixed[start : start + 7])
    assert metric.evaluate(len(mixed)) == {'knn/top1': 1.0, 'knn/queries': 8}


@pytest.mark.parametrize(
    'data, message',
    [
        (samples(BANK, LABELS, 'bank'), "no clip with split='query'"),
        (samples(BANK, LABELS, 'query'), "no clip with split='bank'"),
        (samples(BANK, LABELS - 1, 'bank') + samples(QUERY, LABELS, 'query'), '10 clips of the b'),
    ],
)
def test_what_is_missing_is_named(data, message):
    metric = KNNMetric()
    metric.process(None, data)
    with pytest.raises(ValueError, match=message):
        metric.evaluate(len(data))


@pytest.mark.parametrize('split', ['bank', 'query'])
@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_features_that_are_not_finite_have_no_accuracy(split, value, caplog, monkeypatch):
    """One NaN in the bank would be everyone's nearest neighbour."""
    data = samples(BANK.clone(), LABELS, 'bank') + samples(QUERY.clone(), LABELS[:9], 'query')
    data[3 if split == 'bank' else -1]['feature'][2] = value
    metric = KNNMetric(k=5)
    metric.process(None, data)
    monkeypatch.setattr(MMLogger.get_current_instance(), 'handlers', [caplog.handler])
    with caplog.at_level('WARNING'):
        assert math.isnan(metric.evaluate(len(data))['knn/top1'])
    assert 'the features of 1 of 49 clips are not finite' in caplog.text


@pytest.mark.parametrize('key', ['feature', 'gt_label', 'split'])
def test_a_sample_without_a_key_is_named(key):
    (sample,) = samples(BANK[:1], LABELS[:1], 'bank')
    del sample[key]
    with pytest.raises(ValueError, match=rf"KNNMetric needs \['{key}'\]"):
        KNNMetric().process(None, [sample])


@pytest.mark.parametrize('changes', [dict(k=0), dict(temperature=0.0), dict(temperature=-1)])
def test_bad_settings(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        KNNMetric(**changes)
