"""The model inside DDP and similar wrappers."""

from mmengine.model import is_model_wrapper
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel


def plain_model(runner) -> nn.Module:
    """The Runner's model without its distributed wrapper.

    Raises:
        TypeError: if each rank holds only a shard of the weights.
    """
    model = runner.model
    if isinstance(model, FullyShardedDataParallel):
        raise TypeError(
            f'{type(model).__name__} is not supported: students are promoted and written as whole '
            'weights, and FSDP leaves each rank a shard. Use DDP (docs/scaling.md)'
        )
    return model.module if is_model_wrapper(model) else model
