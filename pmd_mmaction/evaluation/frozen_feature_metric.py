"""Base class of metrics on frozen features: a labelled bank, and queries to classify."""

import math
from abc import abstractmethod
from typing import Literal, Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from torch import Tensor

from pmd_mmaction.arguments import Text, checked


class FrozenFeatureMetric(BaseMetric):
    """Collects the features of a pre-training model and classifies one split with the other.

    The data samples need ``feature`` (set by ``predict`` of the pre-training recognizers, the
    value of ``mode='tensor'``), ``gt_label`` and ``split`` (:class:`MarkSplit`). MMEngine
    gathers the features of all ranks and drops the copies that pad the last batch; the main
    process computes the metric. The D float32 numbers of every clip stay in memory.

    Args:
        collect_device: how MMEngine gathers: ``'cpu'`` (through files) or ``'gpu'``.
        prefix: replaces the first part of the metric names.
    """

    @checked
    def __init__(
        self, collect_device: Literal['cpu', 'gpu'] = 'cpu', prefix: Text | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keeps feature, label and split of every sample of a batch.

        Raises:
            ValueError: if a sample lacks one of them.
        """
        for sample in data_samples:
            missing = [key for key in ('feature', 'gt_label', 'split') if key not in sample]
            if missing:
                raise ValueError(
                    f'{type(self).__name__} needs {missing} in the data samples: the model must be '
                    "a pre-training one, and the pipeline must hold dict(type='MarkSplit', "
                    "split='bank' or 'query') and PackActionInputs(meta_keys=('split', ...))"
                )
            self.results.append(
                dict(
                    feature=sample['feature'].detach().float().cpu(),
                    label=int(sample['gt_label']),
                    split=sample['split'],
                )
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """The metric, and ``queries``, the number of clips that were classified.

        The metric is NaN, with a warning, if a feature is not finite.

        Raises:
            ValueError: if there is nothing to learn from or to classify, or a label is missing.
        """
        parts = {}
        for split in ('bank', 'query'):
            chosen = [result for result in results if result['split'] == split]
            if not chosen:
                raise ValueError(
                    f'{type(self).__name__} got no clip with split={split!r}: the val_dataloader '
                    'must hold both, such as a ConcatDataset of two data sets'
                )
            labels = torch.tensor([result['label'] for result in chosen])
            if (labels < 0).any():
                raise ValueError(
                    f'{int((labels < 0).sum())} clips of the {split} have no label: give each line '
                    f'of its list one, or leave {type(self).__name__} out'
                )
            parts[split] = (torch.stack([result['feature'] for result in chosen]), labels)
        broken = sum(int((~f.isfinite()).any(1).sum()) for f, _ in parts.values())
        parts = {split: (f.nan_to_num(), labels) for split, (f, labels) in parts.items()}
        metrics = self.score(*parts['bank'], *parts['query'])
        if broken:  # a training is not ended for it
            MMLogger.get_current_instance().warning(
                f'{type(self).__name__}: the features of {broken} of {len(results)} clips are not '
                'finite, so there is no accuracy; a diverged student gives such features'
            )
            metrics = dict.fromkeys(metrics, math.nan)
        return metrics | dict(queries=len(parts['query'][1]))

    @abstractmethod
    def score(
        self, bank: Tensor, bank_labels: Tensor, query: Tensor, query_labels: Tensor
    ) -> dict[str, float]:
        """Classifies the queries.

        Args:
            bank: ``(S, D)`` float32 features with known labels.
            bank_labels: ``(S,)`` int64 classes.
            query: ``(Q, D)`` float32 features.
            query_labels: ``(Q,)`` int64 classes.
        """


def topk_accuracy(scores: Tensor, labels: Tensor) -> dict[str, float]:
    """Fraction of samples whose class is among the 1 and the 5 best; ties go to the lower class.

    Args:
        scores: ``(Q, K)`` scores of K classes; -inf for one that is no candidate.
        labels: ``(Q,)`` int64 classes; one outside 0 ... K - 1 counts as wrong.

    Returns:
        ``'top1'`` and, with more than five classes, ``'top5'`` to the fraction.
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    hits = (order == labels[:, None]) & (scores.gather(1, order) > -math.inf)
    ks = (1, 5) if scores.shape[1] > 5 else (1,)
    return {f'top{k}': hits[:, :k].any(1).double().mean().item() for k in ks}
