import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from pmd_mmaction.evaluation import (
    LinearProbeMetric,
    first_of_each_class,
    fit_linear_probe,
    linear_probe,
)


def data(classes: int):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % classes
    centres = 3 * torch.randn(classes, 5, generator=generator)
    features = centres[labels] + torch.randn(60, 5, generator=generator)
    return features * torch.tensor([1.0, 10.0, 0.1, 1.0, 5.0]) + 7, labels


@pytest.mark.parametrize('classes', [2, 4])
def test_the_folded_head_decides_as_scikit_learn(classes):
    features, labels = data(classes)
    weight, bias = fit_linear_probe(features, labels, c=0.5)
    x = features.double().numpy()
    x = (x - x.mean(0)) / (x.std(0) + 1e-6)
    expected = LogisticRegression(C=0.5, max_iter=2000).fit(x, labels.numpy()).predict_proba(x)
    scores = (features @ weight.T + bias).softmax(1)
    np.testing.assert_allclose(scores.numpy(), expected, atol=1e-4)


def test_an_absent_class_is_named():
    features, labels = data(4)
    with pytest.raises(ValueError, match=r'\[2\]'):
        fit_linear_probe(features[labels != 2], labels[labels != 2])


def test_a_clip_without_a_label_is_named():
    features, labels = data(4)
    with pytest.raises(ValueError, match='10 of .* training clips have no label'):
        fit_linear_probe(features, torch.where(torch.arange(len(labels)) < 10, -1, labels))


def test_a_single_class_has_no_probe():
    features, labels = data(4)
    with pytest.raises(ValueError, match='of one class'):
        fit_linear_probe(features, torch.zeros_like(labels))


def test_few_labels_are_the_first_of_each_class():
    labels = torch.tensor([0, 0, 1, 0, 1, 1, 2])
    assert first_of_each_class(labels, 2).tolist() == [0, 1, 2, 4, 6]
    with pytest.raises(ValueError, match='0 clips per class'):
        first_of_each_class(labels, 0)


# --- as a metric ---


def test_the_metric_is_the_probe():
    features, labels = data(4)
    metric = LinearProbeMetric(c=0.5)
    for split, rows in (('bank', slice(0, 40)), ('query', slice(40, 60))):
        metric.process(
            None,
            [
                dict(feature=f, gt_label=torch.tensor([y]), split=split)
                for f, y in zip(features[rows], labels[rows])
            ],
        )
    weight, bias = fit_linear_probe(features[:40], labels[:40], c=0.5)
    right = (features[40:] @ weight.T + bias).argmax(1) == labels[40:]
    expected = {'probe/top1': right.double().mean().item(), 'probe/queries': len(right)}
    assert metric.evaluate(60) == expected


def test_a_class_without_a_clip_in_the_bank_counts_as_wrong():
    """A bank may be a slice of a list; a training does not end for it."""
    features, labels = data(4)
    kept = labels != 2
    scores = LinearProbeMetric().score(features[kept], labels[kept], features, labels)
    weight, bias = fit_linear_probe(features[kept], torch.tensor([0, 1, 2, 2])[labels[kept]])
    told = torch.tensor([0, 1, 3])[(features @ weight.T + bias).argmax(1)]
    assert scores == dict(top1=(told == labels).double().mean().item())
    assert scores['top1'] > 0.6
    present = LinearProbeMetric().score(*2 * (features[kept], labels[kept]))
    assert present['top1'] > scores['top1'] + 0.2  # class 3 is called 3


def test_the_library_is_asked_for_before_the_training(monkeypatch):
    monkeypatch.setattr(linear_probe, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'pmd-mmaction\[demo\]'"):
        LinearProbeMetric()


def test_a_penalty_of_zero_is_refused():
    with pytest.raises(ValueError, match='c is 0'):
        LinearProbeMetric(c=0)
