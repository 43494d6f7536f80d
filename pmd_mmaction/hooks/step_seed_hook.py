"""Randomness as a function of (seed, epoch, iteration, rank)."""

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.functional import derive_seed
from pmd_mmaction.hooks.plain_datasets import plain_datasets
from pmd_mmaction.hooks.plain_model import plain_model


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Makes a resumed run draw what the uninterrupted run would have drawn.

    mmengine saves no random state. This hook seeds PyTorch (drop path) and the masks before
    every iteration from (seed, epoch, iteration, rank), and tells the epoch to each transform
    with a ``set_epoch`` method (``SeedAugmentation``), also inside persistent workers.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner) -> None:
        """Seeds the shuffling of workers and tells the transforms the epoch."""
        torch.manual_seed(derive_seed(runner.seed or 0, runner.epoch, get_rank()))
        for dataset in plain_datasets(runner.train_dataloader.dataset):
            for transform in dataset.pipeline.transforms:
                if hasattr(transform, 'set_epoch'):
                    transform.set_epoch(runner.seed or 0, runner.epoch)

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Seeds the iteration."""
        seed = derive_seed(runner.seed or 0, runner.epoch, runner.iter, get_rank())
        torch.manual_seed(seed)
        model = plain_model(runner)
        if hasattr(model, 'seed_masks'):
            # a stream of its own: masks must not follow the draws of drop path
            model.seed_masks(derive_seed(seed, 1))
