"""VideoMAE's and MVD's own ViT checkpoints to MMAction2's names."""

from typing import Mapping

from torch import Tensor

from pmd_mmaction.convert.rename import Conversion, rename

_BLOCK = r'(?:encoder\.)?blocks\.(\d+)\.'
_RULES = [
    (r'(?:encoder\.)?patch_embed\.proj\.(weight|bias)', r'patch_embed.projection.\1'),
    (r'(?:encoder\.)?pos_embed', 'pos_embed'),
    (_BLOCK + r'(norm[12]\.(?:weight|bias)|gamma_[12])', r'blocks.\1.\2'),
    (_BLOCK + r'attn\.(q_bias|v_bias|qkv\.weight|proj\.weight|proj\.bias)', r'blocks.\1.attn.\2'),
    (_BLOCK + r'mlp\.fc1\.(weight|bias)', r'blocks.\1.mlp.layers.0.0.\2'),
    (_BLOCK + r'mlp\.fc2\.(weight|bias)', r'blocks.\1.mlp.layers.1.\2'),
    (r'(?:encoder\.)?norm\.(weight|bias)', r'norm.\1'),
    (r'fc_norm\.(weight|bias)', r'fc_norm.\1'),
]
_DROPS = [
    (
        r'decoder.*|encoder_to_decoder.*|mask_token.*|down_(img|vid)\..*|pos_embed_(img|vid)',
        'decoder of the pre-training',
    ),
    (r'head\.(weight|bias)', 'classification head'),
]


def videomae_to_mmaction(state_dict: Mapping[str, Tensor]) -> Conversion:
    """Encoder of a pre-trained or fine-tuned VideoMAE / MVD checkpoint.

    Args:
        state_dict: the file's weights (what is under ``model`` or ``module``).

    Returns:
        State dict of MMAction2's ``VisionTransformer``, with ``norm`` where the source has it.

    Raises:
        ValueError: naming keys that are not VideoMAE's.
    """
    return rename(state_dict, _RULES, _DROPS, 'VideoMAE')
