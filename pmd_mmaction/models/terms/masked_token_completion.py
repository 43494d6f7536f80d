"""Features at masked positions for ``align_tokens='masked'``."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from pmd_mmaction.functional import gather_tokens
from pmd_mmaction.models.backbones.blocks import head_count
from pmd_mmaction.models.initialization import VIT_INIT, draw_tokens


class MaskedTokenCompletion(BaseModule):
    """A light cross-attention from masked positions to a layer's visible tokens.

    The paper sums CLFA over masked patches, but an encoder that drops them before its first
    layer has no features there. This module, shared by all layers, predicts them: queries are a
    learnt mask token plus position, keys and values are the layer's visible tokens. The mask
    token is initialised like that of :class:`FeatureDecoder`.

    Args:
        positions: ``(1, N, D)`` float, fixed encoding of the places of the student's patches.
    """

    def __init__(self, positions: Tensor) -> None:
        super().__init__(VIT_INIT)
        dims = positions.shape[-1]
        self.num_heads = head_count(dims)
        self.query_token = draw_tokens(1, 1, dims)
        self.register_buffer('positions', positions, persistent=False)
        self.norm = nn.LayerNorm(dims, eps=1e-6)
        self.query = nn.Linear(dims, dims)
        self.key_value = nn.Linear(dims, 2 * dims)
        self.out = nn.Linear(dims, dims)

    def forward(self, tokens: Tensor, visible_index: Tensor, masked_index: Tensor) -> Tensor:
        """Completes a layer.

        Args:
            tokens: ``(B, V, D)`` visible tokens of the layer.
            visible_index: ``(B, V)`` int64.
            masked_index: ``(B, M)`` int64.

        Returns:
            ``(B, M, D)`` features at the masked positions.
        """
        positions = self.positions.expand(tokens.shape[0], -1, -1)
        query = self.query(self.query_token + gather_tokens(positions, masked_index))
        keys = self.norm(tokens) + gather_tokens(positions, visible_index)
        key, value = self.key_value(keys).chunk(2, -1)
        q, k, v = (
            x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x in (query, key, value)
        )
        attended = F.scaled_dot_product_attention(q, k.to(q.dtype), v.to(q.dtype))
        return self.out(attended.transpose(1, 2).flatten(2))
