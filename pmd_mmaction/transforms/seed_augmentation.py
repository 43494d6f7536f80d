"""Augmentation as a function of (seed, epoch, sample)."""

import random
import warnings

import numpy as np
import torch
from mmaction.registry import TRANSFORMS

from pmd_mmaction.functional import derive_seed
from pmd_mmaction.transforms.described import Described


@TRANSFORMS.register_module()
class SeedAugmentation(Described):
    """Seeds the random generators of the worker for one sample; the first transform.

    Without it a worker's random stream depends on its history, so a resumed run augments
    differently from an uninterrupted one, and with ``persistent_workers=False`` mmengine even
    replays the same randomness every epoch. ``StepSeedHook`` provides seed and epoch; until then
    this transform changes nothing and warns.

    In ``RepeatAugPathListDataset`` it runs once per video, and the clips draw one after the other
    from its seed. Not for ``RepeatDataset``: its copies of a video would all be augmented alike.
    """

    def __init__(self) -> None:
        # Shared memory, since persistent workers keep the data set they were started with.
        self._seed_and_epoch = torch.tensor([0, -1]).share_memory_()

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Sets the run's seed and the epoch, also for workers that are already running."""
        self._seed_and_epoch.copy_(torch.tensor([seed, epoch]))

    def transform(self, results: dict) -> dict:
        """Seeds ``random``, ``numpy.random`` and ``torch``; the results pass unchanged."""
        seed, epoch = self._seed_and_epoch.tolist()
        if epoch < 0:
            warnings.warn(
                'SeedAugmentation knows no epoch and leaves the random generators alone: add '
                "dict(type='StepSeedHook') to custom_hooks",
                stacklevel=2,
            )
            return results
        seed = derive_seed(seed, epoch, results['sample_idx'])
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        return results
