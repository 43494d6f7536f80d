"""How the trained parts start: as MAE, VideoMAE and MVD pre-train.

Linear layers start with Xavier and without bias (MMAction2's own default is a truncated normal,
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
    """Learnt tokens or positions, drawn as VideoMAE and MVD draw them.

    Normal with mean 0 and standard deviation 0.02, cut at +-0.02: one standard deviation, not a
    hundred as PyTorch's default bounds, so what is left deviates by 0.0108.

    Args:
        *shape: of the parameter.
    """
    tokens = nn.Parameter(torch.empty(shape))
    nn.init.trunc_normal_(tokens, std=TOKEN_STD, a=-TOKEN_STD, b=TOKEN_STD)
    return tokens
