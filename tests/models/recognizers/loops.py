"""What the oracles of PMD's terms share: a seed, random histories, a plain loop over patches."""

import torch

SEED = 7


def history(teachers=2, seed=0):
    """Random values of 4 videos in which some patches were never masked."""
    generator = torch.Generator().manual_seed(seed)
    values = 2 * torch.rand(4, teachers, 32, generator=generator)
    return values * (torch.rand(4, teachers, 32, generator=generator) > 0.2)


def loop_patch_losses(predictions, targets, mask):
    """Teacher name to {(b, p): mean over channels of the squared error}."""
    return {
        name: {
            (b, p): (predictions[name][b, p] - targets[name][b, p]).double().square().mean()
            for b, p in mask.nonzero().tolist()
        }
        for name in targets
    }
