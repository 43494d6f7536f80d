"""A head that pools a frozen encoder's tokens with a learned query."""

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from pmd_mmaction.arguments import Positive, Whole, checked, require_divisible
from pmd_mmaction.models.backbones.blocks import head_count
from pmd_mmaction.models.heads.float32_head import Float32TimeSformerHead
from pmd_mmaction.models.initialization import draw_tokens


@MODELS.register_module()
class AttentiveHead(Float32TimeSformerHead):
    r"""One cross-attention block with a learned query, then the linear layer: the attentive probe.

    With the query :math:`q` (a parameter) and the tokens :math:`x` of a clip,

    .. math::
        u = q + \mathrm{Attention}(q, \mathrm{LN}(x), \mathrm{LN}(x)), \quad
        v = u + \mathrm{MLP}(\mathrm{LN}(u)), \quad s = W v + b,

    the frozen evaluation of V-JEPA (arXiv 2404.08471). Meant for a backbone with ``frozen`` and
    ``return_feat_map``; everything here is float32.

    Args:
        num_classes: number of classes.
        in_channels: width D of the encoder.
        num_heads: attention heads; None: :func:`head_count`.
        mlp_ratio: hidden width of the MLP over D.
        **head: see :class:`Float32TimeSformerHead`.

    Raises:
        ValueError: naming the argument that makes no sense.
    """

    @checked
    def __init__(
        self,
        num_classes: Whole,
        in_channels: Whole,
        num_heads: Whole | None = None,
        mlp_ratio: Positive = 4.0,
        **head,
    ) -> None:
        super().__init__(num_classes, in_channels, **head)
        num_heads = head_count(in_channels) if num_heads is None else num_heads
        require_divisible(self, in_channels=in_channels, num_heads=num_heads)
        hidden = round(in_channels * mlp_ratio)
        self.query = draw_tokens(1, 1, in_channels)
        self.norm_tokens = nn.LayerNorm(in_channels)
        self.attention = nn.MultiheadAttention(in_channels, num_heads, batch_first=True)
        self.norm_query = nn.LayerNorm(in_channels)
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden), nn.GELU(), nn.Linear(hidden, in_channels)
        )

    def pool(self, x: Tensor) -> Tensor:
        """``(B, D, ...)`` float32 map of features to the ``(B, D)`` query after the block."""
        tokens = self.norm_tokens(x.flatten(2).transpose(1, 2))
        query = self.query.expand(len(x), -1, -1)
        query = query + self.attention(query, tokens, tokens, need_weights=False)[0]
        return (query + self.mlp(self.norm_query(query)))[:, 0]

    def forward(self, x: Tensor, **kwargs) -> Tensor:
        """Scores of the classes.

        Args:
            x: ``(B, D, T', H', W')`` features of the patches, of any floating type.
            **kwargs: what MMAction2's recognizers pass to every head; without effect.

        Returns:
            ``(B, classes)`` float32 scores.

        Raises:
            ValueError: if x is not such a map.
        """
        if x.ndim != 5 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"AttentiveHead: the backbone gives {tuple(x.shape)} instead of (B, D, T', H', W') "
                f'with D = {self.in_channels}: set backbone.return_feat_map=True and '
                'cls_head.in_channels to its embed_dims'
            )
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(self.pool(x.float()), **kwargs)
