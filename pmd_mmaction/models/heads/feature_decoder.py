"""Decoder: predicts features at the masked patches from the visible tokens."""

from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn

from pmd_mmaction.arguments import (
    Configs,
    Positive,
    Rate,
    TokenGrid,
    Whole,
    checked,
    one_of,
    require_divisible,
)
from pmd_mmaction.functional import gather_tokens, position_table
from pmd_mmaction.functional.positions import POSITIONS
from pmd_mmaction.models.backbones.blocks import SplitBlock, head_count
from pmd_mmaction.models.initialization import VIT_INIT, draw_tokens
from pmd_mmaction.models.norm import token_norm


@MODELS.register_module()
class FeatureDecoder(BaseModule):
    """A shallow ViT over visible tokens and mask tokens, with a linear prediction.

    Args:
        in_dims: width of the encoder's tokens. The recognizer fills it in.
        out_dims: width of the prediction: the teacher's features, or a patch's pixels. The
            recognizer fills it in.
        token_grid: tokens along (time, height, width). The recognizer fills it in.
        embed_dims: width of the decoder; None means ``in_dims``.
        depth: number of layers.
        num_heads: attention heads; None: :func:`head_count`.
        mlp_ratio: hidden width of the MLP over ``embed_dims``.
        embed_bias: use a bias in the projection from ``in_dims`` to ``embed_dims``, as MVD does;
            VideoMAE does not.
        drop_path_rate: stochastic depth of the last layer, rising linearly from 0, as in MVD.
        position: ``'sinusoid_1d'`` (VideoMAE) or ``'sincos_3d'`` (MVD).
        norm_cfg: norm layer.
        init_cfg: mmengine initialisation; None means Xavier, as in the backbone. The mask token is
            drawn with standard deviation 0.02 and cut at +-0.02, as in VideoMAE and MVD.

    Raises:
        ValueError: naming the invalid argument.
    """

    @checked
    def __init__(
        self,
        in_dims: Whole,
        out_dims: Whole,
        token_grid: TokenGrid,
        embed_dims: Whole | None = None,
        depth: Whole = 2,
        num_heads: Whole | None = None,
        mlp_ratio: Positive = 4.0,
        embed_bias: bool = False,
        drop_path_rate: Rate = 0.0,
        position: Annotated[str, one_of(POSITIONS)] = 'sinusoid_1d',
        norm_cfg: dict | None = None,
        init_cfg: Configs | None = None,
    ) -> None:
        super().__init__(VIT_INIT if init_cfg is None else init_cfg)
        embed_dims = in_dims if embed_dims is None else embed_dims
        num_heads = head_count(embed_dims) if num_heads is None else num_heads
        require_divisible(self, embed_dims=embed_dims, num_heads=num_heads)
        norm = token_norm(self, norm_cfg, embed_dims)
        self.embed = nn.Linear(in_dims, embed_dims, bias=embed_bias)
        self.mask_token = draw_tokens(1, 1, embed_dims)
        self.register_buffer(
            'positions', position_table(position, token_grid, embed_dims), persistent=False
        )
        self.blocks = ModuleList(
            SplitBlock(embed_dims, num_heads, mlp_ratio, rate, norm_cfg)
            for rate in np.linspace(0, drop_path_rate, depth).tolist()
        )
        self.norm = norm
        self.head = nn.Linear(embed_dims, out_dims)

    def forward(self, tokens: Tensor, visible_index: Tensor, masked_index: Tensor) -> Tensor:
        """Decodes the masked patches.

        Args:
            tokens: ``(R, V, in_dims)`` encoded visible patches of R masks.
            visible_index: ``(R, V)`` int64 patch indices of ``tokens``.
            masked_index: ``(R, M)`` int64 patch indices to decode.

        Returns:
            ``(R, M, out_dims)`` predictions.
        """
        positions = self.positions.expand(tokens.shape[0], -1, -1)
        visible = self.embed(tokens) + gather_tokens(positions, visible_index)
        masked = self.mask_token + gather_tokens(positions, masked_index)
        x = torch.cat([visible, masked.to(visible.dtype)], 1)
        for depth, block in enumerate(self.blocks):
            if depth == 0:
                # Mask tokens differ only by position, so their keys are shared by the whole batch.
                table = block.project(self.mask_token[0] + self.positions[0])
                qkv = torch.cat([block.project(visible), F.embedding(masked_index, table)], 1)
            else:
                qkv = block.project(x)
            # The visible tokens of the last layer are not used.
            is_last = depth == len(self.blocks) - 1
            x = block.finish(x, qkv, visible_index.shape[1] if is_last else 0)
        return self.head(self.norm(x))
