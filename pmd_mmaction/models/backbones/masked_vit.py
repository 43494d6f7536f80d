"""The student's encoder: MMAction2's VideoMAE ViT, restricted to the visible patches."""

from typing import Annotated, Iterator, NamedTuple, Sequence

from mmaction.models.backbones.vit_mae import VisionTransformer
from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.arguments import (
    Configs,
    NonNegative,
    Positive,
    Rate,
    Whole,
    checked,
    height_and_width,
    one_of,
    require_divisible,
)
from pmd_mmaction.functional import gather_tokens, patchify, sincos_3d, sinusoid_1d
from pmd_mmaction.functional.positions import POSITIONS as FIXED_POSITIONS
from pmd_mmaction.models.backbones.blocks import (
    fuse_attention,
    linear_embedding,
    recompute_in_backward,
)
from pmd_mmaction.models.initialization import VIT_INIT, draw_tokens
from pmd_mmaction.models.norm import LAYER_NORM, token_norm

POSITIONS = (*FIXED_POSITIONS, 'learnable')


class EncoderOutput(NamedTuple):
    """Tokens of the last layer and of the requested layers.

    Attributes:
        tokens: ``(R, V, D)`` after the final norm, for R masks.
        layers: ``(R, V, D)`` each, before the final norm, in the order of the layers.
    """

    tokens: Tensor
    layers: tuple[Tensor, ...]


@MODELS.register_module()
class MaskedVisionTransformer(VisionTransformer):
    """MMAction2's ``VisionTransformer`` with a masked forward and fused attention.

    Parameter names and shapes are those of the parent, so that a checkpoint of one loads
    into the other. The plain ``forward`` gives the parent's result.

    Args:
        img_size: height and width in pixels, or one number for both.
        patch_size: side of a patch in pixels.
        in_channels: image channels.
        embed_dims: width D.
        depth: number of layers.
        num_heads: attention heads; must divide ``embed_dims``.
        mlp_ratio: hidden width of the MLP over D.
        qkv_bias: learnable bias on queries and values.
        qk_scale: replaces ``head_dim ** -0.5``.
        drop_rate: dropout after projections.
        attn_drop_rate: dropout on attention weights.
        drop_path_rate: stochastic depth of the last layer, rising linearly from 0.
        norm_cfg: norm layer.
        init_values: initial layer scale; 0 means none.
        num_frames: frames per clip T.
        tubelet_size: frames per token.
        use_mean_pooling: the parent's switch: True pools and applies ``fc_norm``
            (fine-tuning), False ends with ``norm`` (pre-training).
        return_feat_map: the plain ``forward`` returns ``(B, D, T', H', W')``.
        position: ``'sinusoid_1d'`` (VideoMAE), ``'sincos_3d'`` (MVD) or ``'learnable'``.
        activation_checkpointing: recompute each layer in the backward pass.
        frozen: no parameter learns and the encoder stays in eval mode: for probes.
        init_cfg: mmengine initialisation; None means Xavier for the linear layers. The patch
            embedding keeps PyTorch's default (Kaiming uniform with ``a = sqrt(5)``, a bias that
            is not zero) and learnable positions are cut at +-0.02, all as VideoMAE and MVD
            pre-train.

    Raises:
        ValueError: naming the invalid argument, such as sizes that do not divide.
    """

    @checked
    def __init__(
        self,
        img_size: int | Sequence[int] = 224,
        patch_size: Whole = 16,
        in_channels: Whole = 3,
        embed_dims: Whole = 768,
        depth: Whole = 12,
        num_heads: Whole = 12,
        mlp_ratio: Positive = 4.0,
        qkv_bias: bool = True,
        qk_scale: Positive | None = None,
        drop_rate: Rate = 0.0,
        attn_drop_rate: Rate = 0.0,
        drop_path_rate: Rate = 0.0,
        norm_cfg: dict | None = None,
        init_values: NonNegative = 0.0,
        num_frames: Whole = 16,
        tubelet_size: Whole = 2,
        use_mean_pooling: bool = True,
        return_feat_map: bool = False,
        position: Annotated[str, one_of(POSITIONS)] = 'sinusoid_1d',
        activation_checkpointing: bool = False,
        frozen: bool = False,
        init_cfg: Configs | None = None,
    ) -> None:
        height, width = height_and_width(self, img_size=img_size)
        sides = {'img_size height': height, 'img_size width': width}
        require_divisible(self, **sides, patch_size=patch_size)
        require_divisible(self, num_frames=num_frames, tubelet_size=tubelet_size)
        require_divisible(self, embed_dims=embed_dims, num_heads=num_heads)
        token_norm(self, norm_cfg, embed_dims)
        super().__init__(
            img_size=height,
            patch_size=patch_size,
            in_channels=in_channels,
            embed_dims=embed_dims,
            depth=depth,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
            qkv_bias=qkv_bias,
            qk_scale=qk_scale,
            drop_rate=drop_rate,
            attn_drop_rate=attn_drop_rate,
            drop_path_rate=drop_path_rate,
            norm_cfg=norm_cfg or LAYER_NORM,
            init_values=float(init_values),
            use_learnable_pos_emb=position == 'learnable',
            num_frames=num_frames,
            tubelet_size=tubelet_size,
            use_mean_pooling=use_mean_pooling,
            return_feat_map=return_feat_map,
            init_cfg=VIT_INIT if init_cfg is None else init_cfg,
        )
        self.in_channels = in_channels
        self.depth = depth
        self.num_frames = num_frames
        self.tubelet_size = tubelet_size
        self.token_grid = (num_frames // tubelet_size, height // patch_size, width // patch_size)
        self.grid_size = self.token_grid[1:]
        self.position = position
        self._init_positions(position)
        linear_embedding(self.patch_embed)
        for block in self.blocks:
            fuse_attention(block)
            if activation_checkpointing:
                recompute_in_backward(block)
        self.frozen = frozen
        if frozen:
            self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> 'MaskedVisionTransformer':
        """Switches dropout and stochastic depth, which a frozen encoder never has."""
        return super().train(mode and not self.frozen)

    def _init_positions(self, position: str) -> None:
        # The parent made a table for a square grid; redo it where ours differs.
        if position == 'sincos_3d':
            self.pos_embed = sincos_3d(self.token_grid, self.embed_dims)
        elif position == 'learnable':
            self.pos_embed = draw_tokens(1, self.num_patches, self.embed_dims)
        elif self.pos_embed.shape[1] != self.num_patches:
            self.pos_embed = sinusoid_1d(self.num_patches, self.embed_dims)

    @property
    def num_patches(self) -> int:
        """N, the tokens of a full clip."""
        t, h, w = self.token_grid
        return t * h * w

    @property
    def clip_size(self) -> tuple[int, int, int, int]:
        """(C, T, H, W) of the clips it takes."""
        _, h, w = self.token_grid
        return self.in_channels, self.num_frames, h * self.patch_size, w * self.patch_size

    def encode(
        self, x: Tensor, visible_index: Tensor | None = None, layers: Sequence[int] = ()
    ) -> EncoderOutput:
        """Encodes the visible patches only.

        Args:
            x: ``(B, C, T, H, W)`` float clips of exactly the configured size.
            visible_index: ``(B * K, V)`` int64 patches of K masks per clip, the masks of a clip
                in consecutive rows; None means all N patches.
            layers: layers (from 0) whose tokens are returned as well.

        Returns:
            :class:`EncoderOutput`.
        """
        tokens, wanted = None, []
        for index, tokens in enumerate(self.iter_layers(x, visible_index)):
            if index in layers:
                wanted.append(tokens)
        return EncoderOutput(self.norm(tokens), tuple(wanted))

    def iter_layers(self, x: Tensor, visible_index: Tensor | None = None) -> Iterator[Tensor]:
        """Yields the ``(B, V, D)`` tokens after each layer, so that none needs to be stored."""
        tokens = self.pos_drop(self.embed(x, visible_index))
        for block in self.blocks:
            tokens = block(tokens)
            yield tokens

    def embed(self, x: Tensor, visible_index: Tensor | None = None) -> Tensor:
        """Embeds patches and adds their positions.

        Patches are gathered before the embedding, a single matrix product: at 90 % masking only a
        tenth of its work remains.

        Args:
            x: ``(B, C, T, H, W)`` float clips.
            visible_index: ``(B * K, V)`` int64; None means all.

        Returns:
            ``(B * K, V, D)`` tokens.

        Raises:
            ValueError: if the clips are not of the configured size.
        """
        if tuple(x.shape[1:]) != self.clip_size:
            raise ValueError(
                f'clips are (C, T, H, W) = {tuple(x.shape[1:])}, but the backbone is '
                f'configured for {self.clip_size}: set its img_size and num_frames, or '
                'crop and sample the clips accordingly'
            )
        patches = patchify(x, self.tubelet_size, self.patch_size)
        positions = self.pos_embed
        if visible_index is not None:
            patches = gather_tokens(patches, visible_index)
            positions = gather_tokens(positions.expand(len(visible_index), -1, -1), visible_index)
        return self.patch_embed.project(patches) + positions
