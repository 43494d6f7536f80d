"""A linear classification head that stays in float32 under mixed precision."""

import torch
from mmaction.models.heads import TimeSformerHead
from mmaction.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class Float32TimeSformerHead(TimeSformerHead):
    """MMAction2's ``TimeSformerHead`` with float32 scores, whatever the precision of the encoder.

    Under bfloat16 autocast the parent's scores are bfloat16, which MMAction2's accuracies cannot
    read. Arguments and parameter names are the parent's.
    """

    def forward(self, x: Tensor, **kwargs) -> Tensor:
        """Scores of the classes.

        Args:
            x: ``(B, D)`` pooled features, of any floating type.

        Returns:
            ``(B, classes)`` float32 scores.
        """
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float(), **kwargs)
