"""The model under DDP and the like."""

from mmengine.model import is_model_wrapper
from torch import nn


def plain_model(runner) -> nn.Module:
    """The Runner's model without its distributed wrapper."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
