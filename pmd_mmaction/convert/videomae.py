"""Original checkpoints of VideoMAE, of the methods built on its code, and of MVD."""

import re
from typing import Mapping

from torch import Tensor

from pmd_mmaction.convert.rename import Conversion, Pairs, rename

PART = r'(weight|bias)'
# Blocks of a ViT, wherever they lie, in the names of VideoMAE's code and in MMAction2's.
BLOCKS = [
    (r'blocks\.(\d+)\.(norm[12]\.(?:weight|bias))', r'blocks.{}.{}'),
    (
        r'blocks\.(\d+)\.attn\.(q_bias|v_bias|qkv\.weight|proj\.weight|proj\.bias)',
        r'blocks.{}.attn.{}',
    ),
    (rf'blocks\.(\d+)\.mlp\.fc1\.{PART}', r'blocks.{}.mlp.layers.0.0.{}'),
    (rf'blocks\.(\d+)\.mlp\.fc2\.{PART}', r'blocks.{}.mlp.layers.1.{}'),
]


def rules_below(pattern: str, place: str, rules: Pairs = BLOCKS) -> list[tuple[str, str]]:
    """Rules for what lies under a prefix.

    Args:
        pattern: the prefix in the source, a regular expression.
        place: the prefix in the result, which may name groups of ``pattern``.
        rules: pairs as :data:`BLOCKS`, with ``{}`` for each of their own groups.
    """
    first = re.compile(pattern).groups
    below = []
    for old, new in rules:
        groups = [rf'\{first + 1 + i}' for i in range(new.count('{}'))]
        below.append((pattern + old, place + new.format(*groups)))
    return below


RULES = [
    (rf'patch_embed\.proj\.{PART}', r'backbone.patch_embed.projection.\1'),
    (r'pos_embed', r'backbone.pos_embed'),
    *rules_below('', 'backbone.', [*BLOCKS, (r'blocks\.(\d+)\.(gamma_[12])', r'blocks.{}.{}')]),
    (rf'norm\.{PART}', r'backbone.norm.\1'),
    (rf'fc_norm\.{PART}', r'backbone.fc_norm.\1'),
    (rf'head\.{PART}', r'cls_head.fc_cls.\1'),
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
