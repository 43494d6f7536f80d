"""A linear classification head that stays in float32 under mixed precision."""

from typing import Literal

import torch
from mmaction.models.heads import TimeSformerHead
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.arguments import Config, Configs, NonNegative, Rate, Whole, checked, require


@MODELS.register_module()
class Float32TimeSformerHead(TimeSformerHead):
    """MMAction2's ``TimeSformerHead`` with float32 scores, whatever the precision of the encoder.

    Under bfloat16 autocast the parent's scores are bfloat16, which MMAction2's accuracies cannot
    read. Parameter names are the parent's.

    Args:
        num_classes: number of classes.
        in_channels: width of the encoder.
        loss_cls: config of the loss.
        init_std: standard deviation of the initial weights.
        dropout_ratio: dropout before the scores.
        multi_class: several labels per video.
        label_smooth_eps: label smoothing.
        topk: values of k for the accuracy in the training log.
        average_clips: what to average over the clips of a video: ``'score'``, ``'prob'`` (after
            the softmax) or None (nothing).
        init_cfg: mmengine initialisation.

    Raises:
        ValueError: naming the invalid argument.
    """

    @checked
    def __init__(
        self,
        num_classes: Whole,
        in_channels: Whole,
        loss_cls: Config | None = None,
        init_std: NonNegative = 0.02,
        dropout_ratio: Rate = 0.0,
        multi_class: bool = False,
        label_smooth_eps: Rate = 0.0,
        topk: int | tuple[int, ...] = (1, 5),
        average_clips: Literal[None, 'score', 'prob'] = None,
        init_cfg: Configs | None = None,
    ) -> None:
        topk = tuple(topk) if isinstance(topk, (list, tuple)) else (topk,)
        require(self, Whole, **{f'topk[{i}]': k for i, k in enumerate(topk)})
        super().__init__(
            num_classes,
            in_channels,
            loss_cls or dict(type='CrossEntropyLoss'),
            init_std,
            dropout_ratio,
            multi_class=multi_class,
            label_smooth_eps=label_smooth_eps,
            topk=topk,
            average_clips=average_clips,
            init_cfg=init_cfg,
        )

    def forward(self, x: Tensor, **kwargs) -> Tensor:
        """Scores of the classes.

        Args:
            x: ``(B, D)`` pooled features of any floating-point dtype.
            **kwargs: ignored; MMAction2's recognizers pass them to every head.

        Returns:
            ``(B, classes)`` float32 scores.

        Raises:
            ValueError: if D is not ``in_channels``.
        """
        if x.shape[-1] != self.in_channels:
            raise ValueError(
                f'Float32TimeSformerHead: in_channels is {self.in_channels}, but the backbone '
                f'gives features of width {x.shape[-1]}: set cls_head.in_channels to its embed_dims'
            )
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float(), **kwargs)
