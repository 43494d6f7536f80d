"""The common form of weights, under MMAction2's names, and the sizes that follow from them.

Every reader returns, and every writer accepts, a state dict with keys ``backbone.*`` (MMAction2's
``VisionTransformer``) and possibly ``cls_head.fc_cls.*``, as in an MMAction2 recognizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from torch import Tensor

from pmd_mmaction.convert.layers import check_pairs, read_layers
from pmd_mmaction.convert.rename import Conversion
from pmd_mmaction.functional import position_table, resize_positions

POSITION_KEY = 'backbone.pos_embed'
KERNEL = 'backbone.patch_embed.projection.weight'
HEAD = 'cls_head.fc_cls.'
WITH_BIAS = (KERNEL.removesuffix('.weight'), 'backbone.norm', 'backbone.fc_norm', 'cls_head.fc_cls')
# Attention heads of the published ViTs by width; other widths do not determine them.
HEADS_OF_WIDTH = {192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16, 1408: 16}


@dataclass(frozen=True)
class ClipSize:
    """Number of frames and side in pixels of a model's square clips.

    Raises:
        ValueError: if one of them is below 1.
    """

    num_frames: int = 16
    img_size: int = 224

    def __post_init__(self) -> None:
        if self.num_frames < 1 or self.img_size < 1:
            raise ValueError(f'there are no clips of {self}')

    def __str__(self) -> str:
        return f'{self.num_frames} frames of {self.img_size} px'


@dataclass(frozen=True)
class EncoderSize:
    """The sizes of a ViT that follow from its weights.

    Attributes:
        embed_dims: width D.
        depth: number of layers.
        mlp_dims: hidden width of the MLP.
        patch_size: side of a patch in pixels.
        tubelet_size: frames per token.
        qv_bias: whether queries and values have biases.
        layer_scale: whether the layers are scaled (``gamma_1``, ``gamma_2``).
    """

    embed_dims: int
    depth: int
    mlp_dims: int
    patch_size: int
    tubelet_size: int
    qv_bias: bool
    layer_scale: bool

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> EncoderSize:
        """Reads the sizes.

        Args:
            state: weights in the common form.

        Raises:
            ValueError: if they contain no encoder, or an incomplete one.
        """
        if KERNEL not in state:
            raise ValueError(f'it has no patch embedding ({KERNEL.removeprefix("backbone.")})')
        if state[KERNEL].ndim != 5:
            raise ValueError(
                f'its patches have a kernel of {state[KERNEL].ndim} dimensions instead of the 5 '
                'of a video encoder: image encoders are read by --from mae, timm or clip'
            )
        check_pairs(state, WITH_BIAS)
        dims, _, tubelet, patch, _ = state[KERNEL].shape
        depth, names = read_layers(state, 'backbone.blocks.')
        lost = sorted(_wanted_names(names) - names)
        if lost:
            raise ValueError(f'its layers lack {lost}')
        return cls(
            embed_dims=dims,
            depth=depth,
            mlp_dims=state['backbone.blocks.0.mlp.layers.0.0.weight'].shape[0],
            patch_size=patch,
            tubelet_size=tubelet,
            qv_bias='attn.q_bias' in names,
            layer_scale='gamma_1' in names,
        )

    def token_grid(self, clip: ClipSize) -> tuple[int, int, int]:
        """Tokens along (time, height, width).

        Raises:
            ValueError: if the clip is not a whole number of patches.
        """
        if clip.num_frames % self.tubelet_size or clip.img_size % self.patch_size:
            raise ValueError(
                f'{clip} are not a whole number of patches of {self.tubelet_size} frames and '
                f'{self.patch_size} px'
            )
        side = clip.img_size // self.patch_size
        return clip.num_frames // self.tubelet_size, side, side


def attention_heads(embed_dims: int, given: int | None) -> int:
    """Number of attention heads of a ViT, which does not follow from the weights.

    Args:
        embed_dims: width D.
        given: the user's number, or None to look it up by width.

    Raises:
        ValueError: if it is unknown or does not divide the width.
    """
    heads = HEADS_OF_WIDTH.get(embed_dims) if given is None else given
    if heads is None:
        raise ValueError(
            f'how many attention heads a ViT of width {embed_dims} has is not in its '
            'weights: give it with --num-heads'
        )
    if heads < 1 or embed_dims % heads:
        raise ValueError(f'{heads} heads do not divide a width of {embed_dims}')
    return heads


def _wanted_names(found: set[str]) -> set[str]:
    """Weights a layer must have; optional groups count as soon as one of them is found."""
    wanted = {f'{norm}.{part}' for norm in ('norm1', 'norm2') for part in ('weight', 'bias')}
    wanted |= {'attn.qkv.weight', 'attn.proj.weight', 'attn.proj.bias'}
    wanted |= {f'mlp.layers.{i}.{part}' for i in ('0.0', '1') for part in ('weight', 'bias')}
    for pair in ({'attn.q_bias', 'attn.v_bias'}, {'gamma_1', 'gamma_2'}):
        if pair & found:
            wanted |= pair
    return wanted


def fit_positions(
    conversion: Conversion, position: str, source: ClipSize, target: ClipSize
) -> Conversion:
    """Adds the positions if the source computes them, and interpolates them to another clip.

    Args:
        conversion: weights in the common form.
        position: ``'sinusoid_1d'`` or ``'sincos_3d'``: what the source computes, if the file
            has no positions.
        source: clips that the source was trained on.
        target: clips that the result is for.

    Returns:
        The conversion with ``backbone.pos_embed`` for ``target``, and notes about it.

    Raises:
        ValueError: if the file's positions do not fit ``source``.
    """
    state, notes = dict(conversion.state_dict), []
    size = EncoderSize.of(state)
    grid = size.token_grid(source)
    if POSITION_KEY not in state:
        state[POSITION_KEY] = position_table(position, grid, size.embed_dims)
        notes.append(f'positions are not in the file: {position} of {source} added')
    found, expected = state[POSITION_KEY].shape[1], grid[0] * grid[1] * grid[2]
    if found != expected:
        raise ValueError(
            f'it has {found} positions, but {source} make {expected}: give the clips it was '
            'trained on with --source-frames and --source-size'
        )
    if source != target:
        state[POSITION_KEY] = resize_positions(state[POSITION_KEY], grid, size.token_grid(target))
        notes.append(
            f'positions interpolated from {source} to {target} (bicubic in space, linear in time)'
        )
    return conversion.with_state(state, *notes)
