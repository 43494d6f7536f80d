"""k nearest neighbours on frozen features."""

import math

import torch
from mmaction.registry import METRICS
from torch import Tensor

from pmd_mmaction.arguments import Positive, Whole, checked
from pmd_mmaction.evaluation.frozen_feature_metric import FrozenFeatureMetric, topk_accuracy


def knn_scores(
    bank: Tensor,
    bank_labels: Tensor,
    query: Tensor,
    k: int,
    temperature: float | None = 0.07,
    chunk: int = 1024,
) -> Tensor:
    """Votes of the k most similar features for their classes.

    A neighbour with cosine similarity s has ``exp(s / temperature)`` votes (the usual weighted
    rule of instance discrimination), or one vote without temperature.

    Args:
        bank: ``(S, D)`` float32 features with known labels.
        bank_labels: ``(S,)`` int64 classes.
        query: ``(Q, D)`` float32 features.
        k: number of neighbours, 1 ... S.
        temperature: above 0, or None.
        chunk: queries compared at a time; ``chunk * S`` float32 numbers are held.

    Returns:
        ``(Q, K)`` float32 scores of classes 0 ... largest label.

    Raises:
        ValueError: if ``k`` is not in 1 ... S.
    """
    if not 1 <= k <= len(bank):
        raise ValueError(f'k is {k}, but the bank holds {len(bank)} features')
    bank = torch.nn.functional.normalize(bank.float(), dim=1)
    query = torch.nn.functional.normalize(query.float(), dim=1)
    one_hot = torch.nn.functional.one_hot(bank_labels).float()
    scores = []
    for part in query.split(chunk):
        similarity, index = (part @ bank.T).topk(k, dim=1)
        votes = torch.ones_like(similarity)
        if temperature is not None:
            # relative to the nearest, so that no temperature overflows
            votes = ((similarity - similarity[:, :1]) / temperature).exp()
        scores.append((votes[:, :, None] * one_hot[index]).sum(1))
    return torch.cat(scores)


@METRICS.register_module()
class KNNMetric(FrozenFeatureMetric):
    """Top-1 and top-5 of a k-nearest-neighbour classifier, ``knn/top1`` in the log.

    Args:
        k: number of neighbours; a smaller bank has all of its features vote.
        temperature: temperature of the votes; None gives every neighbour one vote.
        collect_device: see :class:`FrozenFeatureMetric`.
        prefix: replaces ``'knn'``.

    Raises:
        ValueError: for ``k`` below 1 or a temperature not above 0.
    """

    default_prefix = 'knn'

    @checked
    def __init__(
        self,
        k: Whole = 20,
        temperature: Positive | None = 0.07,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        self.k = k
        self.temperature = temperature

    def score(
        self, bank: Tensor, bank_labels: Tensor, query: Tensor, query_labels: Tensor
    ) -> dict[str, float]:
        """See :meth:`FrozenFeatureMetric.score`."""
        k = min(self.k, len(bank))
        scores = knn_scores(bank, bank_labels, query, k, self.temperature)
        # a class without a vote is not among the best five, however few have one
        return topk_accuracy(scores.masked_fill(scores == 0, -math.inf), query_labels)
