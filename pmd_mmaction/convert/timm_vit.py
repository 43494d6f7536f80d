"""Image teachers: timm's ViT from files of MAE, CLIP, timm and our frame encoders."""

from typing import Mapping

import torch
from torch import Tensor

from pmd_mmaction.convert.encoder import EncoderSize
from pmd_mmaction.convert.layers import check_pairs, read_layers
from pmd_mmaction.convert.rename import Conversion, rename

_TIMM = (
    r'(cls_token|reg_token|dist_token|pos_embed|patch_embed\.proj\.(?:weight|bias)'
    r'|norm(?:_pre)?\.(?:weight|bias)|blocks\.\d+\.(?:norm[12]\.(?:weight|bias)|ls[12]\.gamma'
    r'|attn\.(?:qkv|proj|q_norm|k_norm|norm)\.(?:weight|bias)'
    r'|mlp\.(?:fc1|fc2|norm)\.(?:weight|bias)))'
)
_POOLED = r'(fc_norm|head|head_dist)\..*'
_HEAD = 'head and its norm: a teacher gives the features of patches'

_CLIP = r'(?:visual|vision_encoder)\.'
_CLIP_LAYER = _CLIP + r'transformer\.resblocks\.(\d+)\.'
_FROM_CLIP = [
    (_CLIP + r'class_embedding', 'cls_token'),
    (_CLIP + r'positional_embedding', 'pos_embed'),
    (_CLIP + r'conv1\.weight', 'patch_embed.proj.weight'),
    (_CLIP + r'ln_pre\.(weight|bias)', r'norm_pre.\1'),
    (_CLIP + r'ln_post\.(weight|bias)', r'norm.\1'),
    (_CLIP_LAYER + r'ln_([12])\.(weight|bias)', r'blocks.\1.norm\2.\3'),
    (_CLIP_LAYER + r'attn\.in_proj_(weight|bias)', r'blocks.\1.attn.qkv.\2'),
    (_CLIP_LAYER + r'attn\.out_proj\.(weight|bias)', r'blocks.\1.attn.proj.\2'),
    (_CLIP_LAYER + r'mlp\.c_fc\.(weight|bias)', r'blocks.\1.mlp.fc1.\2'),
    (_CLIP_LAYER + r'mlp\.c_proj\.(weight|bias)', r'blocks.\1.mlp.fc2.\2'),
]
_CLIP_DROPS = [
    (_CLIP + r'proj', 'projection into the space of the texts'),
    (
        r'(transformer|token_embedding|ln_final)\..*|positional_embedding|text_projection'
        r'|logit_scale|input_resolution|context_length|vocab_size',
        'encoder of texts',
    ),
]
_FROM_MMACTION = [
    (r'backbone\.patch_embed\.projection\.(weight|bias)', r'patch_embed.proj.\1'),
    (r'backbone\.pos_embed', 'pos_embed'),
    (r'backbone\.blocks\.(\d+)\.(norm[12]\.(?:weight|bias))', r'blocks.\1.\2'),
    (r'backbone\.blocks\.(\d+)\.gamma_([12])', r'blocks.\1.ls\2.gamma'),
    (
        r'backbone\.blocks\.(\d+)\.attn\.(q_bias|v_bias|qkv\.weight|proj\.weight|proj\.bias)',
        r'blocks.\1.attn.\2',
    ),
    (r'backbone\.blocks\.(\d+)\.mlp\.layers\.0\.0\.(weight|bias)', r'blocks.\1.mlp.fc1.\2'),
    (r'backbone\.blocks\.(\d+)\.mlp\.layers\.1\.(weight|bias)', r'blocks.\1.mlp.fc2.\2'),
    (r'backbone\.norm\.(weight|bias)', r'norm.\1'),
]


def read_mae(state_dict: Mapping[str, Tensor]) -> Conversion:
    """MAE's own file (``mae_pretrain_vit_*.pth``, ``mae_finetuned_vit_*.pth``) for timm.

    Args:
        state_dict: the file's weights (what is under ``model``), or those of DMAE's.

    Raises:
        ValueError: naming keys that are not MAE's, or what a layer lacks.
    """
    drops = [
        (r'decoder.*|mask_token', 'decoder of the pre-training'),
        (r'aligned_feature_projection_heads\..*', 'projections of DMAE'),
        (_POOLED, _HEAD),
    ]
    return _complete(rename(state_dict, [(_TIMM, r'\1')], drops, 'MAE'))


def read_timm(state_dict: Mapping[str, Tensor]) -> Conversion:
    """The weights of a timm ``VisionTransformer`` without its head.

    Args:
        state_dict: the weights.

    Raises:
        ValueError: naming keys that are not those of timm's ViT, or what a layer lacks.
    """
    return _complete(rename(state_dict, [(_TIMM, r'\1')], [(_POOLED, _HEAD)], 'timm ViT'))


def read_clip(state_dict: Mapping[str, Tensor]) -> Conversion:
    """The vision encoder of CLIP, in OpenAI's names or in those of SMILE (one frame a patch).

    Args:
        state_dict: weights with ``visual.`` or ``vision_encoder.``.

    Raises:
        ValueError: naming keys that are not CLIP's, or what a layer lacks.
    """
    conversion = rename(state_dict, _FROM_CLIP, _CLIP_DROPS, 'CLIP')
    state = conversion.state_dict
    read_layers(state, 'blocks.')
    check_pairs(state, ('norm_pre', 'norm'))
    _require(state, 'cls_token', 'pos_embed', 'patch_embed.proj.weight')
    state['cls_token'] = state['cls_token'].view(1, 1, -1)
    state['pos_embed'] = state['pos_embed'][None]
    kernel = state['patch_embed.proj.weight']
    if kernel.ndim == 5 and kernel.shape[2] > 1:
        raise ValueError(
            f'its patches span {kernel.shape[2]} frames; an image teacher has patches of one'
        )
    state['patch_embed.proj.weight'] = kernel.squeeze(2) if kernel.ndim == 5 else kernel
    return conversion


def _complete(conversion: Conversion) -> Conversion:
    read_layers(conversion.state_dict, 'blocks.')
    check_pairs(conversion.state_dict, ('patch_embed.proj', 'norm'))
    _require(conversion.state_dict, 'pos_embed', 'patch_embed.proj.weight')
    return conversion


def _require(state: Mapping[str, Tensor], *keys: str) -> None:
    if lost := [key for key in keys if key not in state]:
        raise ValueError(f'it lacks {lost}')


def write_timm(state_dict: Mapping[str, Tensor]) -> Conversion:
    """A frame encoder (``num_frames=1, tubelet_size=1``) of this project for timm.

    The result fits timm ViTs without class token (``class_token=False,
    global_pool='avg', fc_norm=False``), for :class:`TimmImageTeacher`.

    Args:
        state_dict: weights in the common form.

    Raises:
        ValueError: if the patches span several frames.
    """
    size = EncoderSize.of(state_dict)
    if size.tubelet_size != 1:
        raise ValueError(
            f'its patches span {size.tubelet_size} frames; an image teacher needs tubelet_size=1'
        )
    drops = [(r'backbone\.fc_norm\..*|cls_head\..*', _HEAD)]
    conversion = rename(state_dict, _FROM_MMACTION, drops, 'MMAction2 ViT')
    result, joined = conversion.state_dict, {}
    result['patch_embed.proj.weight'] = result['patch_embed.proj.weight'].squeeze(2)
    for key in [key for key in result if key.endswith('.attn.q_bias')]:
        prefix = key.removesuffix('q_bias')
        # MMAction2 has no bias on keys: it cancels in the softmax.
        query, value = result.pop(key), result.pop(prefix + 'v_bias')
        result[prefix + 'qkv.bias'] = torch.cat([query, torch.zeros_like(query), value])
        joined |= {key: prefix + 'qkv.bias', prefix + 'v_bias': prefix + 'qkv.bias'}
    renamed = {key: joined.get(new, new) for key, new in conversion.renamed.items()}
    return Conversion(result, renamed, conversion.dropped)
