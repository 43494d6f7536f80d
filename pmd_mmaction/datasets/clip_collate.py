"""Batches of two tensors, whatever their size."""

from collections.abc import Sequence

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from torch.utils.data import default_collate


@FUNCTIONS.register_module()
def clip_collate(items: Sequence[dict | list[dict]]) -> dict:
    """Stacks the clips and the labels of a batch.

    Each tensor that a worker sends costs the receiving process an open file and a handshake, and
    MMAction2's samples have a label each, in pre-training too.
    ``ClipPreprocessor`` gives them back; other preprocessors need ``pseudo_collate``, or
    ``repeat_pseudo_collate`` for repeated augmentation.

    Args:
        items: B packed samples, or lists of samples (repeated augmentation).

    Returns:
        ``inputs``: ``(B, clips, C, T, H, W)`` uint8, and ``data_samples``: B samples without
        labels. With labels also ``labels``: ``(B, 1)`` int64, or ``(B, K)`` where a video has
        several. What differs in shape is left as it is.
    """
    samples = [s for item in items for s in (item if isinstance(item, list) else [item])]
    batch = pseudo_collate(samples)
    if _have_one_shape(batch['inputs']):
        batch['inputs'] = default_collate(batch['inputs'])  # in a worker, into shared memory
    labels = [sample.get('gt_label') for sample in batch['data_samples']]
    if _have_one_shape(labels):
        batch['labels'] = default_collate(labels)
        for sample in batch['data_samples']:
            del sample.gt_label
    return batch


def _have_one_shape(tensors: Sequence[torch.Tensor | None]) -> bool:
    shapes = {None if tensor is None else tensor.shape for tensor in tensors}
    return len(shapes) == 1 and None not in shapes
