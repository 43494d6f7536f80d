"""A linear probe as a metric of the validation loop."""

import math

from mmaction.registry import METRICS
from torch import Tensor

from pmd_mmaction.arguments import Positive, checked
from pmd_mmaction.evaluation.frozen_feature_metric import FrozenFeatureMetric, topk_accuracy
from pmd_mmaction.evaluation.linear_probe import fit_linear_probe, require_scikit_learn


@METRICS.register_module()
class LinearProbeMetric(FrozenFeatureMetric):
    """Top-1 and top-5 of logistic regression on the bank, ``probe/top1`` in the log.

    Args:
        c: inverse strength of the L2 penalty, > 0.
        collect_device: see :class:`FrozenFeatureMetric`.
        prefix: replaces ``'probe'``.

    Raises:
        ImportError: if scikit-learn is missing.
        ValueError: if ``c`` is not above 0.
    """

    default_prefix = 'probe'

    @checked
    def __init__(
        self, c: Positive = 1.0, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        require_scikit_learn()
        super().__init__(collect_device, prefix)
        self.c = c

    def score(
        self, bank: Tensor, bank_labels: Tensor, query: Tensor, query_labels: Tensor
    ) -> dict[str, float]:
        """See :meth:`FrozenFeatureMetric.score`; a class without a clip in the bank is not told."""
        present, labels = bank_labels.unique(return_inverse=True)
        weight, bias = fit_linear_probe(bank, labels, self.c)
        scores = query.new_full((len(query), int(present[-1]) + 1), -math.inf)
        scores[:, present] = query @ weight.T + bias
        return topk_accuracy(scores, query_labels)
