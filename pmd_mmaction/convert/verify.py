"""Runs source and result of a conversion on one clip, each in its own implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import torch
from torch import Tensor, nn

from pmd_mmaction.convert.encoder import HEAD, ClipSize, EncoderSize, attention_heads
from pmd_mmaction.convert.formats import IMAGE_SOURCES, Options, Result
from pmd_mmaction.convert.layers import read_layers

TOLERANCE = 1e-3
Outputs = dict[str, Tensor]


def check_verifiable(source: str, options: Options) -> None:
    """Refuses ``--verify`` where there is nothing to compare with.

    Args:
        source: name of the source format.
        options: the conversion's options.

    Raises:
        ValueError: with the reason.
    """
    if source in ('videomae', 'mvd'):
        raise ValueError(
            f"--verify has nothing to compare with: {source}'s own code is not a package that "
            'could be installed. Leave --verify out'
        )
    if options.clip not in (None, options.source_clip or ClipSize()):
        raise ValueError(
            '--verify compares on one clip, and source and result are for clips of different '
            'size: verify a conversion without --frames and --size'
        )


@torch.no_grad()
def largest_difference(
    state: Mapping[str, Tensor],
    source: str,
    target: str,
    result: Result,
    options: Options,
    source_path: Path,
    folder: Path | None,
) -> dict[str, float]:
    """Runs both sides on the same random clip, in float32.

    Args:
        state: the source's weights.
        source: name of the source format.
        target: name of the target format.
        result: the conversion.
        options: its options.
        source_path: the source, for implementations that read it themselves.
        folder: the Hugging Face folder that was written, if any.

    Returns:
        ``tokens`` (and ``logits``) to the largest absolute difference.
    """
    generator = torch.Generator().manual_seed(0)
    if target == 'timm':
        left, right = _on_images(state, source, result, options, generator)
        return _differences(left, right)
    clip, weights = result.clip, result.conversion.state_dict
    shape = (1, clip.num_frames, 3, clip.img_size, clip.img_size)
    frames = torch.randn(shape, generator=generator)
    if source == 'huggingface':
        own = any(name.endswith('position_embeddings') for name in state)
        left = huggingface_outputs(source_path, frames, own_positions=own)
    else:
        left = mmaction_outputs(result.common, clip, options.num_heads, frames)
    if target == 'huggingface':
        trusted = result.folder.code is not None  # a copy of this project's own file
        right = huggingface_outputs(folder, frames, trust_code=trusted)
    else:
        right = mmaction_outputs(weights, clip, options.num_heads, frames)
    return _differences(left, right)


def _differences(left: Outputs, right: Outputs) -> dict[str, float]:
    return {name: (left[name] - right[name]).abs().max().item() for name in left if name in right}


def _on_images(
    state: Mapping[str, Tensor],
    source: str,
    result: Result,
    options: Options,
    generator: torch.Generator,
) -> tuple[Outputs, Outputs]:
    """Outputs of source and result for two images; arguments of :func:`largest_difference`."""
    weights = result.conversion.state_dict
    side = _image_size(weights)
    images = torch.randn(2, 3, side, side, generator=generator)
    right = timm_outputs(weights, options.num_heads, images)
    if source not in IMAGE_SOURCES:
        clip = ClipSize(1, side)
        return mmaction_outputs(result.common, clip, options.num_heads, images[:, None]), right
    own = {new: state[old] for old, new in result.conversion.renamed.items()}
    return timm_outputs(own, options.num_heads, images), right


def _image_size(state: Mapping[str, Tensor]) -> int:
    """Side in pixels of the images for a timm ViT."""
    prefix = sum(state[key].shape[1] for key in ('cls_token', 'reg_token') if key in state)
    found = state['pos_embed'].shape[1]
    side = next((round(n**0.5) for n in (found, found - prefix) if round(n**0.5) ** 2 == n), 0)
    return side * state['patch_embed.proj.weight'].shape[-1]


def timm_outputs(state: Mapping[str, Tensor], num_heads: int | None, images: Tensor) -> Outputs:
    """Output of timm's model for images.

    Args:
        state: weights of a timm ViT.
        num_heads: attention heads, if the width does not tell them.
        images: ``(B, C, H, W)`` float images.

    Returns:
        ``tokens`` ``(B, N, D)`` with class and register tokens.

    Raises:
        ValueError: if timm needs weights that are not there.
    """
    from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

    kernel = state['patch_embed.proj.weight']
    embed_dims, patch_size = kernel.shape[0], kernel.shape[-1]
    depth, _ = read_layers(state, 'blocks.')
    prefix = [state[key].shape[1] for key in ('cls_token', 'reg_token') if key in state]
    patches = (images.shape[-1] // patch_size) ** 2
    network = VisionTransformer(
        img_size=images.shape[-1],
        patch_size=patch_size,
        num_classes=0,
        global_pool='avg',
        embed_dim=embed_dims,
        depth=depth,
        num_heads=attention_heads(embed_dims, num_heads),
        mlp_ratio=state['blocks.0.mlp.fc1.weight'].shape[0] / embed_dims,
        qkv_bias='blocks.0.attn.qkv.bias' in state,
        qk_norm='blocks.0.attn.q_norm.weight' in state,
        init_values=1.0 if 'blocks.0.ls1.gamma' in state else None,
        class_token='cls_token' in state,
        reg_tokens=state['reg_token'].shape[1] if 'reg_token' in state else 0,
        no_embed_class=bool(prefix) and state['pos_embed'].shape[1] == patches,
        pre_norm='norm_pre.weight' in state,
        final_norm='norm.weight' in state,
        fc_norm=False,
    ).eval()
    missing, _ = network.load_state_dict(checkpoint_filter_fn(dict(state), network), strict=False)
    if missing:
        raise ValueError(f'timm misses {missing[:5]}')
    return dict(tokens=network.forward_features(images))


def mmaction_outputs(
    state: Mapping[str, Tensor], clip: ClipSize, num_heads: int | None, frames: Tensor
) -> Outputs:
    """Output of MMAction2's own ``VisionTransformer`` for frames.

    Args:
        state: weights in the common form, with positions.
        clip: the clips they are for.
        num_heads: attention heads, if the width does not tell them.
        frames: ``(B, T, C, H, W)`` float clips.

    Returns:
        ``tokens`` ``(B, N, D)``, and ``logits`` ``(B, K)`` if there is a head.

    Raises:
        ValueError: if MMAction2 needs weights that are not there.
    """
    from mmaction.models.backbones.vit_mae import VisionTransformer

    size = EncoderSize.of(state)
    network = VisionTransformer(
        img_size=clip.img_size,
        patch_size=size.patch_size,
        embed_dims=size.embed_dims,
        depth=size.depth,
        num_heads=attention_heads(size.embed_dims, num_heads),
        mlp_ratio=size.mlp_dims / size.embed_dims,
        qkv_bias=size.qv_bias,
        init_values=float(size.layer_scale),
        norm_cfg=dict(type='LN', eps=1e-6),
        num_frames=clip.num_frames,
        tubelet_size=size.tubelet_size,
        use_mean_pooling='backbone.norm.weight' not in state,
        return_feat_map=True,
    ).eval()
    own = {k.removeprefix('backbone.'): v for k, v in state.items() if k.startswith('backbone.')}
    missing, _ = network.load_state_dict(own, strict=False)
    missing = [key for key in missing if not key.startswith('fc_norm.')]
    if missing:
        raise ValueError(f'MMAction2 misses {missing[:5]}')
    tokens = network(frames.transpose(1, 2)).flatten(2).transpose(1, 2)
    if f'{HEAD}weight' not in state:
        return dict(tokens=tokens)
    norm = [state[f'backbone.fc_norm.{part}'] for part in ('weight', 'bias')]
    pooled = nn.functional.layer_norm(tokens.mean(1), tokens.shape[-1:], *norm, eps=1e-6)
    head = [state[f'{HEAD}{part}'] for part in ('weight', 'bias')]
    return dict(tokens=tokens, logits=nn.functional.linear(pooled, *head))


def huggingface_outputs(
    path: Path, frames: Tensor, trust_code: bool = False, own_positions: bool = False
) -> Outputs:
    """Output of transformers' model for frames.

    Args:
        path: folder or weights file beside a ``config.json``.
        frames: ``(B, T, C, H, W)`` float clips.
        trust_code: run the Python file in the folder; only for one written by this project.
        own_positions: take the positions in the file, by this package's code.

    Returns:
        ``tokens`` ``(B, N, D)``, and ``logits`` ``(B, K)`` if it classifies.
    """
    import transformers

    folder = path if path.is_dir() else path.parent
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=trust_code)
    classifies = 'ForVideoClassification' in (config.architectures or [''])[0]
    if trust_code:
        auto = 'AutoModelForVideoClassification' if classifies else 'AutoModel'
    else:
        auto = 'VideoMAEForVideoClassification' if classifies else 'VideoMAEModel'
    library = transformers
    if own_positions:
        from pmd_mmaction.convert import videomae_with_positions as library

        auto += 'WithPositions'
    # Pre-training files are read by VideoMAEModel as well: it leaves their decoder out.
    model = getattr(library, auto).from_pretrained(
        folder, trust_remote_code=trust_code, dtype=torch.float32
    )
    output = model.eval()(frames, output_hidden_states=True)
    if classifies:
        return dict(tokens=output.hidden_states[-1], logits=output.logits)
    return dict(tokens=output.last_hidden_state)
