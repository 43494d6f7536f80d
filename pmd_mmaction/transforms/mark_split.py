"""Marks clips with the split that they belong to, for metrics."""

from typing import Literal

from mmaction.registry import TRANSFORMS

from pmd_mmaction.arguments import checked
from pmd_mmaction.transforms.described import Described


@TRANSFORMS.register_module()
class MarkSplit(Described):
    """Writes ``split`` into the results, for :class:`KNNMetric` and :class:`LinearProbeMetric`.

    ``PackActionInputs(meta_keys=('split', ...))`` has to include it.

    Args:
        split: ``'bank'`` for labelled clips to learn from, ``'query'`` for clips to classify.

    Raises:
        ValueError: for any other value.
    """

    @checked
    def __init__(self, split: Literal['bank', 'query']) -> None:
        self.split = split

    def transform(self, results: dict) -> dict:
        """Adds the key ``split``."""
        results['split'] = self.split
        return results
