"""MMAction2's recognizers and backbones, including everything this project trains."""

import re
from typing import Mapping

from torch import Tensor

from pmd_mmaction.convert.encoder import HEAD
from pmd_mmaction.convert.rename import Conversion, rename

_ENCODER = (
    r'(patch_embed\.projection\.(?:weight|bias)|pos_embed|(?:fc_)?norm\.(?:weight|bias)'
    r'|blocks\.\d+\.(?:norm[12]\.(?:weight|bias)|gamma_[12]|attn\.(?:q_bias|v_bias|qkv\.weight'
    r'|proj\.(?:weight|bias))|mlp\.layers\.(?:0\.0|1)\.(?:weight|bias)))'
)
_RULES = [
    (_ENCODER, r'backbone.\1'),
    (r'cls_head\.fc_cls\.(weight|bias)', rf'{HEAD}\1'),
]
_DROPS = [
    (
        r'(decoders?|neck|terms)\..*',
        'trained beside the encoder, of no use without the pre-training',
    ),
    (r'data_preprocessor\..*', 'constants of the config'),
]
_ATTENTIVE = r'cls_head\.(query|norm_tokens|norm_query|attention|mlp)\b'


def read_mmaction(state_dict: Mapping[str, Tensor]) -> Conversion:
    """A phase student, a checkpoint of the Runner, a zoo file or a backbone alone.

    Args:
        state_dict: the file's weights, with or without the prefix ``backbone.``.

    Returns:
        Weights in the common form.

    Raises:
        ValueError: naming keys that are not MMAction2's ViT's.
    """
    rules, drops = _RULES, _DROPS
    if any(re.search(_ATTENTIVE, key) for key in state_dict):
        reason = 'an attentive probe, which other code has no place for'
        rules, drops = rules[:1], [*drops, (r'cls_head\..*', reason)]
    return rename(state_dict, rules, drops, 'MMAction2 ViT')


def write_backbone(state_dict: Mapping[str, Tensor]) -> Conversion:
    """The encoder alone: a video teacher, a student, or a starting point for fine-tuning.

    Args:
        state_dict: weights in the common form.
    """
    drops = [(r'cls_head\..*', 'classification head; --to recognizer keeps it')]
    return rename(state_dict, [(r'(backbone\..*)', r'\1')], drops, 'MMAction2 ViT')


def write_recognizer(state_dict: Mapping[str, Tensor]) -> Conversion:
    """A whole ``Recognizer3D`` with mean pooling and one linear layer as head.

    Args:
        state_dict: weights in the common form.

    Raises:
        ValueError: if the source has no head.
    """
    needed = [f'{HEAD}weight', f'{HEAD}bias', 'backbone.fc_norm.weight', 'backbone.fc_norm.bias']
    missing = [key for key in needed if key not in state_dict]
    if missing:
        raise ValueError(
            f'it is not a fine-tuned model: it lacks {missing}; use --to mmaction for its encoder'
        )
    drops = [(r'backbone\.norm\..*', 'norm of the pre-training; a recognizer pools first')]
    rules = [(r'(backbone\.(?!norm\.).*|cls_head\..*)', r'\1')]
    return rename(state_dict, rules, drops, 'MMAction2 ViT')
