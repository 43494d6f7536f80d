"""The train loop."""

from pmd_mmaction.runner.resumable_train_loop import ResumableTrainLoop

__all__ = ['ResumableTrainLoop']
