"""Norm layers for tokens."""

import torch
from mmcv.cnn import build_norm_layer
from torch import nn

from pmd_mmaction.arguments import Config, require

LAYER_NORM = dict(type='LN', eps=1e-6)


def token_norm(where: object, norm_cfg: dict | None, dims: int) -> nn.Module:
    """A norm layer that takes ``(B, N, D)`` tokens.

    Args:
        where: the component that uses it, for messages.
        norm_cfg: config of the layer; None means layer norm.
        dims: width D.

    Raises:
        ValueError: if the config does not build one, or one for images such as batch norm.
    """
    if norm_cfg is None:
        norm_cfg = LAYER_NORM
    require(where, Config, norm_cfg=norm_cfg)
    try:
        layer = build_norm_layer(dict(norm_cfg), dims)[1]
        layer(torch.zeros(1, 2, dims))
    except Exception as error:  # whatever a registered layer raises
        name = where if isinstance(where, str) else type(where).__name__
        raise ValueError(
            f'{name}: norm_cfg is {dict(norm_cfg)}, which makes no norm of (B, N, {dims}) tokens '
            f'({str(error) or type(error).__name__}); it must be such as {LAYER_NORM}'
        ) from error
    return layer
