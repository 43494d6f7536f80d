"""Randomness as a function of (seed, epoch, iteration, rank)."""

from typing import NamedTuple

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.contracts import MaskedModel
from pmd_mmaction.functional import derive_seed
from pmd_mmaction.hooks.unwrapped_datasets import plain_datasets
from pmd_mmaction.hooks.unwrapped_model import plain_model


class StepSeeds(NamedTuple):
    """Seeds of one iteration on one rank.

    Attributes:
        torch: seed of PyTorch's generators (drop path).
        masks: seed of the masks, separate so that they do not depend on the draws of drop path.
    """

    torch: int
    masks: int


def step_seeds(runner) -> StepSeeds:
    """Seeds of the Runner's current iteration on this rank."""
    seed = derive_seed(runner.seed or 0, runner.epoch, runner.iter, get_rank())
    return StepSeeds(seed, derive_seed(seed, 1))


def seed_augmentation(dataset, seed: int, epoch: int) -> None:
    """Passes seed and epoch to each transform that has a ``set_epoch`` method.

    Args:
        dataset: a data set, possibly wrapped or concatenated.
        seed: the run's seed.
        epoch: from 0.
    """
    for plain in plain_datasets(dataset):
        for transform in plain.pipeline.transforms:
            if hasattr(transform, 'set_epoch'):
                transform.set_epoch(seed, epoch)


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Makes a resumed run draw what the uninterrupted run would have drawn.

    mmengine saves no random state. This hook seeds PyTorch (drop path) and the masks before
    every iteration from (seed, epoch, iteration, rank), and passes the epoch to each transform
    with a ``set_epoch`` method (``SeedAugmentation``), also inside persistent workers.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner) -> None:
        """Seeds the workers' shuffling and passes the epoch to the transforms."""
        torch.manual_seed(derive_seed(runner.seed or 0, runner.epoch, get_rank()))
        seed_augmentation(runner.train_dataloader.dataset, runner.seed or 0, runner.epoch)

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Seeds the iteration."""
        seeds = step_seeds(runner)
        torch.manual_seed(seeds.torch)
        model = plain_model(runner)
        if isinstance(model, MaskedModel):
            model.seed_masks(seeds.masks)
