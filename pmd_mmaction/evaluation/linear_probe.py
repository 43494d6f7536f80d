"""A linear classifier on frozen features, fitted by a solver instead of SGD."""

from collections import Counter
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor


def require_scikit_learn() -> None:
    """Refuses an environment in which no probe can be fitted; to be called before a long run.

    Raises:
        ImportError: with the command that installs it.
    """
    if find_spec('sklearn') is None:
        raise ImportError("a linear probe needs scikit-learn: pip install 'pmd-mmaction[demo]'")


def fit_linear_probe(features: Tensor, labels: Tensor, c: float = 1.0) -> tuple[Tensor, Tensor]:
    """Fits logistic regression on standardised features.

    Args:
        features: ``(S, D)`` float features of S training clips.
        labels: ``(S,)`` int64 classes 0 to K - 1, each present.
        c: inverse strength of the L2 penalty, > 0.

    Returns:
        Weight ``(K, D)`` and bias ``(K,)``, float32, for the raw features: the
        standardisation is folded in, so they fit an ordinary ``nn.Linear``.

    Raises:
        ValueError: if a clip has no label, or there is one class, or one between 0 and the largest
            label has no clip.
    """
    from sklearn.linear_model import LogisticRegression  # only the probe needs scikit-learn

    x, y = features.double().numpy(), labels.numpy()
    if y.min() < 0:
        raise ValueError(f'{(y < 0).sum()} of {len(y)} training clips have no label')
    absent = sorted(set(range(y.max() + 1)) - set(y.tolist()))
    if absent:
        raise ValueError(f'no training clip of class(es) {absent[:10]}')
    if y.max() == 0:
        raise ValueError('all training clips are of one class, where a probe has nothing to tell')
    mean, std = x.mean(0), x.std(0) + 1e-6
    model = LogisticRegression(C=c, max_iter=2000).fit((x - mean) / std, y)
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps one row for two classes
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / std
    return (torch.from_numpy(weight).float(), torch.from_numpy(bias - weight @ mean).float())


def first_of_each_class(labels: Tensor, count: int) -> Tensor:
    """Positions of the first ``count`` clips of each class.

    Args:
        labels: ``(S,)`` int64 classes.
        count: clips per class, >= 1.

    Returns:
        ``(<= classes * count,)`` int64 positions, ascending.

    Raises:
        ValueError: if ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f'{count} clips per class: give 1 or more')
    seen, positions = Counter(), []
    for position, label in enumerate(labels.tolist()):
        seen[label] += 1
        if seen[label] <= count:
            positions.append(position)
    return torch.tensor(positions, dtype=torch.int64)
