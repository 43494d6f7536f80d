"""MMAction2's ViT layers: with fused attention, split in two, recomputed; a linear embedding."""

import torch
import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import Attention, Block
from mmcv.cnn.bricks.transformer import PatchEmbed
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from pmd_mmaction.functional import patchify


def head_count(dims: int) -> int:
    """One attention head per 64 channels, or as many fewer as divide the width."""
    return next(count for count in range(max(1, dims // 64), 0, -1) if dims % count == 0)


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
        return self.attend(self.project(x))

    def project(self, x: Tensor) -> Tensor:
        """``(B, N, D)`` tokens to their ``(B, N, 3D)`` queries, keys and values."""
        bias = None
        if hasattr(self, 'q_bias'):
            bias = torch.cat((self.q_bias, torch.zeros_like(self.v_bias), self.v_bias))
        return F.linear(x, self.qkv.weight, bias)

    def attend(self, qkv: Tensor, first: int = 0) -> Tensor:
        """Lets the tokens from ``first`` on attend to all tokens.

        Args:
            qkv: ``(B, N, 3D)`` result of :meth:`project`.
            first: the tokens before it are attended to, but do not attend themselves.

        Returns:
            ``(B, N - first, D)`` tokens.
        """
        q, k, v = qkv.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.attn_drop.p if self.training else 0.0
        x = F.scaled_dot_product_attention(
            q[:, :, first:], k, v, dropout_p=dropout, scale=self.scale
        )
        return self.proj_drop(self.proj(x.transpose(1, 2).flatten(2)))


def fuse_attention(block: Block) -> None:
    """Switches a block's attention to the fused kernel; its parameters are kept."""
    # The subclass adds neither parameters nor state, so the object itself is kept.
    block.attn.__class__ = FusedAttention


class LinearPatchEmbed(PatchEmbed):
    """MMCV's ``PatchEmbed`` of clips as a matrix product.

    Same parameters and, up to rounding, the same result. Convolutions of clips in bfloat16 are
    several times slower with some versions of PyTorch and cuDNN.
    """

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
        """Embeds all patches of clips.

        Args:
            x: ``(B, C, T, H, W)`` clips; what fills no patch at the end of a side is left out.

        Returns:
            ``(B, N, D)`` tokens, and how many there are along time, rows and columns.
        """
        tubelet, patch, _ = kernel = self.projection.kernel_size
        t, h, w = (size // part for size, part in zip(x.shape[2:], kernel))
        x = x[:, :, : t * tubelet, : h * patch, : w * patch]
        return self.project(patchify(x, tubelet, patch)), (t, h, w)

    def project(self, patches: Tensor) -> Tensor:
        """``(B, N, C * tubelet * patch * patch)`` pixels of patches to ``(B, N, D)`` tokens."""
        kernel = self.projection
        return F.linear(patches, kernel.weight.flatten(1), kernel.bias)


def linear_embedding(embed: PatchEmbed) -> None:
    """Switches a patch embedding to the matrix product; its parameters are kept."""
    embed.__class__ = LinearPatchEmbed


class SplitBlock(Block):
    """MMAction2's block on the fused kernel, in two halves.

    Work between the halves can be shared or skipped: the keys of a token that is the same in
    every clip, the queries of a token whose output is not used. Without layer scale.

    Args:
        embed_dims: width D.
        num_heads: attention heads.
        mlp_ratio: hidden width of the MLP over D.
        drop_path_rate: probability that a clip skips a half of the block in training.
        norm_cfg: norm layer; None means MMAction2's.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        drop_path_rate: float = 0.0,
        norm_cfg: dict | None = None,
    ) -> None:
        norm = {} if norm_cfg is None else dict(norm_cfg=norm_cfg)
        super().__init__(
            embed_dims=embed_dims,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
            drop_path_rate=drop_path_rate,
            **norm,
        )
        fuse_attention(self)

    def project(self, x: Tensor) -> Tensor:
        """``(B, N, D)`` tokens to their ``(B, N, 3D)`` queries, keys and values."""
        return self.attn.project(self.norm1(x))

    def finish(self, x: Tensor, qkv: Tensor, first: int = 0) -> Tensor:
        """The block's result for the tokens from ``first`` on.

        Args:
            x: ``(B, N, D)`` tokens.
            qkv: ``(B, N, 3D)`` result of :meth:`project`.
            first: the tokens before it are only attended to.

        Returns:
            ``(B, N - first, D)`` tokens.
        """
        x = x[:, first:] + self.drop_path(self.attn.attend(qkv, first))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class RecomputedBlock(Block):
    """MMAction2's block, recomputed in the backward pass instead of stored."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, N, D)`` tokens to ``(B, N, D)`` tokens."""
        if self.training and torch.is_grad_enabled():
            return checkpoint(super().forward, x, use_reentrant=False)
        return super().forward(x)


def recompute_in_backward(block: Block) -> None:
    """Turns on activation checkpointing for a block; its parameters are kept."""
    block.__class__ = RecomputedBlock
