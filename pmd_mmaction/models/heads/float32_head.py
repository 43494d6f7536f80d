"""A linear classification head that stays in float32 under mixed precision."""

import torch
from mmaction.models.heads import TimeSformerHead
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction import arguments

AVERAGES = (None, 'score', 'prob')


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

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss_cls: dict | None = None,
        init_std: float = 0.02,
        dropout_ratio: float = 0.0,
        multi_class: bool = False,
        label_smooth_eps: float = 0.0,
        topk: int | tuple[int, ...] = (1, 5),
        average_clips: str | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        arguments.require_whole(self, num_classes=num_classes, in_channels=in_channels)
        loss_cls = dict(type='CrossEntropyLoss') if loss_cls is None else loss_cls
        arguments.require_config(self, loss_cls=loss_cls)
        arguments.require_number(self, at_least=0, init_std=init_std)
        rates = dict(dropout_ratio=dropout_ratio, label_smooth_eps=label_smooth_eps)
        arguments.require_number(self, at_least=0, below=1, **rates)
        arguments.require_flag(self, multi_class=multi_class)
        topk = tuple(topk) if isinstance(topk, (list, tuple)) else (topk,)
        arguments.require_whole(self, **{f'topk[{i}]': k for i, k in enumerate(topk)})
        arguments.require_one_of(self, AVERAGES, average_clips=average_clips)
        if init_cfg is not None:
            arguments.require_configs(self, init_cfg=init_cfg)
        super().__init__(
            num_classes,
            in_channels,
            loss_cls,
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
