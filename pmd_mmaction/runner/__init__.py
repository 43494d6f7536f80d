"""The train loop, and where the Runner writes its curves."""

from pmd_mmaction.runner.resumable_train_loop import ResumableTrainLoop
from pmd_mmaction.runner.tensorboard_if_installed import TensorboardIfInstalled

__all__ = ['ResumableTrainLoop', 'TensorboardIfInstalled']
