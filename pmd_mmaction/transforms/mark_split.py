"""Tells a metric which data set a clip comes from."""

from typing import Literal

from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from pmd_mmaction.arguments import checked


@TRANSFORMS.register_module()
class MarkSplit(BaseTransform):
    """Writes ``split`` into the results, for :class:`KNNMetric` and :class:`LinearProbeMetric`.

    ``PackActionInputs(meta_keys=('split', ...))`` has to take it along.

    Args:
        split: ``'bank'`` for labelled clips to learn from, ``'query'`` for clips to classify.

    Raises:
        ValueError: for another word.
    """

    @checked
    def __init__(self, split: Literal['bank', 'query']) -> None:
        self.split = split

    def transform(self, results: dict) -> dict:
        """Adds the key ``split``."""
        results['split'] = self.split
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(split={self.split!r})'
