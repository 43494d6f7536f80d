"""MMAction2's ViT on single frames to timm's ViT."""

from typing import Mapping

import torch
from torch import Tensor

from pmd_mmaction.convert.rename import Conversion, rename

_RULES = [
    (r'backbone\.patch_embed\.projection\.(weight|bias)', r'patch_embed.proj.\1'),
    (r'backbone\.pos_embed', 'pos_embed'),
    (r'backbone\.blocks\.(\d+)\.(norm[12]\.(?:weight|bias))', r'blocks.\1.\2'),
    (
        r'backbone\.blocks\.(\d+)\.attn\.(q_bias|v_bias|qkv\.weight|proj\.weight|proj\.bias)',
        r'blocks.\1.attn.\2',
    ),
    (r'backbone\.blocks\.(\d+)\.mlp\.layers\.0\.0\.(weight|bias)', r'blocks.\1.mlp.fc1.\2'),
    (r'backbone\.blocks\.(\d+)\.mlp\.layers\.1\.(weight|bias)', r'blocks.\1.mlp.fc2.\2'),
    (r'backbone\.norm\.(weight|bias)', r'norm.\1'),
]
_DROPS = [
    (r'decoder\..*', 'decoder of the pre-training'),
    (r'backbone\.fc_norm\..*|cls_head\..*', 'belongs to the classification head'),
]


def mmaction_to_timm(state_dict: Mapping[str, Tensor]) -> Conversion:
    """Image encoder of a :class:`MaskedAutoencoder` with ``num_frames=1, tubelet_size=1``.

    The result fits timm ViTs without class token (``class_token=False,
    global_pool='avg', fc_norm=False``), for :class:`TimmImageTeacher`.

    Args:
        state_dict: weights with keys ``backbone.*`` (others are the decoder's).

    Returns:
        State dict of timm's ``VisionTransformer``.

    Raises:
        ValueError: naming unknown keys, or if the patches span several frames.
    """
    conversion = rename(state_dict, _RULES, _DROPS, 'MMAction2 ViT')
    result = conversion.state_dict
    kernel = result['patch_embed.proj.weight']
    if kernel.shape[2] != 1:
        raise ValueError(
            f'its patches span {kernel.shape[2]} frames; an image teacher needs tubelet_size=1'
        )
    result['patch_embed.proj.weight'] = kernel.squeeze(2)
    for key in [key for key in result if key.endswith('.attn.q_bias')]:
        prefix = key.removesuffix('q_bias')
        # MMAction2 has no bias on keys: it cancels in the softmax.
        query, value = result.pop(key), result.pop(prefix + 'v_bias')
        result[prefix + 'qkv.bias'] = torch.cat([query, torch.zeros_like(query), value])
    return conversion
