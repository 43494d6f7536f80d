"""MMAction2's ViT block on PyTorch's fused kernel, and with recomputation."""

import torch
import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import Attention, Block
from torch import Tensor
from torch.utils.checkpoint import checkpoint


class FusedAttention(Attention):
    """Multi-head self-attention with ``scaled_dot_product_attention``.

    Same parameters and, up to rounding, the same result as MMAction2's ``Attention``,
    without the ``(B, heads, N, N)`` matrix in memory.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Attends all tokens to all tokens.

        Args:
            x: ``(B, N, D)`` tokens.

        Returns:
            ``(B, N, D)`` tokens.
        """
        bias = None
        if hasattr(self, 'q_bias'):
            bias = torch.cat((self.q_bias, torch.zeros_like(self.v_bias), self.v_bias))
        qkv = F.linear(x, self.qkv.weight, bias)
        q, k, v = qkv.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.attn_drop.p if self.training else 0.0
        x = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=self.scale)
        return self.proj_drop(self.proj(x.transpose(1, 2).flatten(2)))


def fused_block(embed_dims: int, num_heads: int, **kwargs) -> Block:
    """MMAction2's ViT block with :class:`FusedAttention`.

    Args:
        embed_dims: width D.
        num_heads: attention heads.
        **kwargs: further arguments of MMAction2's ``Block``.
    """
    block = Block(embed_dims=embed_dims, num_heads=num_heads, **kwargs)
    fuse_attention(block)
    return block


def fuse_attention(block: Block) -> None:
    """Lets a block's own attention, with its parameters, run on the fused kernel."""
    # The subclass adds neither parameters nor state, so the object itself is kept.
    block.attn.__class__ = FusedAttention


class RecomputedBlock(Block):
    """MMAction2's block, computed again in the backward pass instead of stored."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, N, D)`` tokens to ``(B, N, D)`` tokens."""
        if self.training and torch.is_grad_enabled():
            return checkpoint(super().forward, x, use_reentrant=False)
        return super().forward(x)


def recompute_in_backward(block: Block) -> None:
    """Turns on activation checkpointing for a block, its parameters kept."""
    block.__class__ = RecomputedBlock
