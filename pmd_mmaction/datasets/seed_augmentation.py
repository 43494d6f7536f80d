"""Augmentation as a function of (seed, epoch, sample)."""

import random

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from pmd_mmaction.functional import derive_seed


@TRANSFORMS.register_module()
class SeedAugmentation(BaseTransform):
    """Seeds the random generators of the worker for one sample; the first transform.

    Without it a worker's random stream depends on its history, so a resumed run augments
    otherwise than the uninterrupted one, and with ``persistent_workers=False`` mmengine even
    replays the same randomness every epoch. ``StepSeedHook`` tells the epoch.

    Not for ``RepeatAugDataset``: its copies of a video would all be augmented alike.

    Args:
        seed: number to mix in.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        # Shared memory, since persistent workers keep the data set they were started with.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch, also for workers that run already."""
        self._epoch.fill_(epoch)

    def transform(self, results: dict) -> dict:
        """Seeds ``random``, ``numpy.random`` and ``torch``; the results pass unchanged."""
        seed = derive_seed(self.seed, int(self._epoch), results['sample_idx'])
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(seed={self.seed})'
