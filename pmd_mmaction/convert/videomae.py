"""Original checkpoints of VideoMAE, of the methods built on its code, and of MVD."""

from typing import Mapping

from torch import Tensor

from pmd_mmaction.convert.rename import Conversion, rename

_BLOCK = r'blocks\.(\d+)\.'
RULES = [
    (r'patch_embed\.proj\.(weight|bias)', r'backbone.patch_embed.projection.\1'),
    (r'pos_embed', r'backbone.pos_embed'),
    (_BLOCK + r'(norm[12]\.(?:weight|bias)|gamma_[12])', r'backbone.blocks.\1.\2'),
    (
        _BLOCK + r'attn\.(q_bias|v_bias|qkv\.weight|proj\.weight|proj\.bias)',
        r'backbone.blocks.\1.attn.\2',
    ),
    (_BLOCK + r'mlp\.fc1\.(weight|bias)', r'backbone.blocks.\1.mlp.layers.0.0.\2'),
    (_BLOCK + r'mlp\.fc2\.(weight|bias)', r'backbone.blocks.\1.mlp.layers.1.\2'),
    (r'norm\.(weight|bias)', r'backbone.norm.\1'),
    (r'fc_norm\.(weight|bias)', r'backbone.fc_norm.\1'),
    (r'head\.(weight|bias)', r'cls_head.fc_cls.\1'),
]
_DROPS = [
    (
        r'decoder.*|encoder_to_decoder.*|mask_token.*|down_(img|vid)\..*|pos_embed_(img|vid)',
        'decoder of the pre-training',
    ),
    (r'(projection_heads|generators)\..*', 'projections and generators of AMD'),
]


def read_videomae(state_dict: Mapping[str, Tensor]) -> Conversion:
    """Encoder, and head if there is one, of a pre-trained or fine-tuned file.

    Args:
        state_dict: the file's weights (what is under ``model`` or ``module``); of VideoMAE,
            VideoMAE V2, AMD, SMILE or MVD.

    Returns:
        Weights in the common form (:mod:`pmd_mmaction.convert.encoder`).

    Raises:
        ValueError: naming keys that are not VideoMAE's.
    """
    return rename(state_dict, RULES, _DROPS, 'VideoMAE or MVD')
