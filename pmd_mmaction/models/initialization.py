"""Initialisation of the trained parts, as in MAE, VideoMAE and MVD.

Linear layers start with Xavier weights and zero bias (MMAction2's default is a truncated normal,
meant for fine-tuning). The patch embedding keeps PyTorch's default for a convolution, as in
VideoMAE and MVD: weight and bias uniform within ``1 / sqrt(inputs)``.
"""

import torch
from torch import nn

VIT_INIT = [
    dict(type='Xavier', layer='Linear', distribution='uniform', bias=0.0),
    dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
]
TOKEN_STD = 0.02


def draw_tokens(*shape: int) -> nn.Parameter:
    """Learnable tokens or positions, initialised as in VideoMAE and MVD.

    Normal with mean 0 and standard deviation 0.02, truncated at +-0.02: at one standard deviation,
    where PyTorch's default is a hundred, so the actual standard deviation is 0.0108.

    Args:
        *shape: shape of the parameter.
    """
    tokens = nn.Parameter(torch.empty(shape))
    nn.init.trunc_normal_(tokens, std=TOKEN_STD, a=-TOKEN_STD, b=TOKEN_STD)
    return tokens
