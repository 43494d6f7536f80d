"""Transforms that MMAction2 lacks."""

from pmd_mmaction.datasets.seed_augmentation import SeedAugmentation

__all__ = ['SeedAugmentation']
