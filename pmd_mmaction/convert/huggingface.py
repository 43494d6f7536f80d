"""Hugging Face VideoMAE: the model alone, for pre-training, for video classification."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, Sequence

import torch
from torch import Tensor

from pmd_mmaction.convert.encoder import HEAD, POSITION_KEY, ClipSize, EncoderSize, attention_heads
from pmd_mmaction.convert.huggingface_folder import (
    HuggingFaceFolder,
    label_names,
    model_config,
    preprocessor_config,
)
from pmd_mmaction.convert.rename import Conversion, rename
from pmd_mmaction.functional import sinusoid_1d

_EMBEDDINGS = r'(?:videomae\.)?embeddings\.'
_LAYER = r'(?:videomae\.)?encoder\.layer\.(\d+)\.'
_ATTENTION = _LAYER + r'attention\.attention\.'
_PATCHES = r'backbone.patch_embed.projection'
_READ = [
    (_EMBEDDINGS + r'patch_embeddings\.projection\.(weight|bias)', _PATCHES + r'.\1'),
    (_EMBEDDINGS + r'position_embeddings', POSITION_KEY),
    (_ATTENTION + r'(query|key|value)\.weight', r'backbone.blocks.\1.attn.\2.weight'),
    # transformers 4 calls the biases q_bias and v_bias, transformers 5 query.bias and value.bias
    (_ATTENTION + r'(?:q_bias|query\.bias)', r'backbone.blocks.\1.attn.q_bias'),
    (_ATTENTION + r'(?:v_bias|value\.bias)', r'backbone.blocks.\1.attn.v_bias'),
    (_LAYER + r'attention\.output\.dense\.(weight|bias)', r'backbone.blocks.\1.attn.proj.\2'),
    (_LAYER + r'intermediate\.dense\.(weight|bias)', r'backbone.blocks.\1.mlp.layers.0.0.\2'),
    (_LAYER + r'output\.dense\.(weight|bias)', r'backbone.blocks.\1.mlp.layers.1.\2'),
    (_LAYER + r'layernorm_before\.(weight|bias)', r'backbone.blocks.\1.norm1.\2'),
    (_LAYER + r'layernorm_after\.(weight|bias)', r'backbone.blocks.\1.norm2.\2'),
    (r'(?:videomae\.)?layernorm\.(weight|bias)', r'backbone.norm.\1'),
    (r'fc_norm\.(weight|bias)', r'backbone.fc_norm.\1'),
    (r'classifier\.(weight|bias)', rf'{HEAD}\1'),
]
_READ_DROPS = [
    (
        r'decoder\..*|encoder_to_decoder\..*|mask_token|position_embeddings',
        'decoder of the pre-training',
    ),
    (_ATTENTION + r'key\.bias', 'a bias on keys cancels in the softmax'),
]
# Copied beside weights whose positions VideoMAE would not compute; needs transformers itself.
_CODE = Path(__file__).with_name('videomae_with_positions.py')
_BLOCK = r'backbone\.blocks\.(\d+)\.'
_WRITE = [
    (
        r'backbone\.patch_embed\.projection\.(weight|bias)',
        r'embeddings.patch_embeddings.projection.\1',
    ),
    (r'backbone\.pos_embed', 'embeddings.position_embeddings'),
    (_BLOCK + r'attn\.qkv\.weight', r'encoder.layer.\1.attention.attention.qkv.weight'),
    # The names in the published files: transformers 5 translates them, but not for own code.
    (_BLOCK + r'attn\.(q_bias|v_bias)', r'encoder.layer.\1.attention.attention.\2'),
    (_BLOCK + r'attn\.proj\.(weight|bias)', r'encoder.layer.\1.attention.output.dense.\2'),
    (_BLOCK + r'mlp\.layers\.0\.0\.(weight|bias)', r'encoder.layer.\1.intermediate.dense.\2'),
    (_BLOCK + r'mlp\.layers\.1\.(weight|bias)', r'encoder.layer.\1.output.dense.\2'),
    (_BLOCK + r'norm1\.(weight|bias)', r'encoder.layer.\1.layernorm_before.\2'),
    (_BLOCK + r'norm2\.(weight|bias)', r'encoder.layer.\1.layernorm_after.\2'),
]

# They come before the rules above.
_WRITE_FOR_OWN_CODE = [
    (_BLOCK + r'attn\.q_bias', r'encoder.layer.\1.attention.attention.query.bias'),
    (_BLOCK + r'attn\.v_bias', r'encoder.layer.\1.attention.attention.value.bias'),
]


def read_huggingface(state_dict: Mapping[str, Tensor]) -> Conversion:
    """Encoder, and classifier if there is one.

    Args:
        state_dict: the weights of one of the three models.

    Returns:
        Weights in the common form (:mod:`pmd_mmaction.convert.encoder`).

    Raises:
        ValueError: naming keys that are not theirs.
    """
    conversion = rename(state_dict, _READ, _READ_DROPS, 'Hugging Face VideoMAE')
    result, joined = conversion.state_dict, {}
    for key in [key for key in result if key.endswith('.attn.query.weight')]:
        prefix = key.removesuffix('query.weight')
        parts = [f'{prefix}{name}.weight' for name in ('query', 'key', 'value')]
        if not all(part in result for part in parts):
            raise ValueError(f'it lacks some of {parts}')
        result[f'{prefix}qkv.weight'] = torch.cat([result.pop(part) for part in parts])
        joined |= dict.fromkeys(parts, f'{prefix}qkv.weight')
    renamed = {key: joined.get(new, new) for key, new in conversion.renamed.items()}
    return Conversion(result, renamed, conversion.dropped)


def write_huggingface(
    state_dict: Mapping[str, Tensor],
    clip: ClipSize,
    num_heads: int | None = None,
    labels: Sequence[str] | None = None,
    custom_code: bool = False,
) -> tuple[Conversion, HuggingFaceFolder]:
    """``VideoMAEModel``, or ``VideoMAEForVideoClassification`` if there is a head.

    Args:
        state_dict: weights in the common form, with positions.
        clip: the clips they are for.
        num_heads: attention heads, if the width does not tell them.
        labels: names of the classes.
        custom_code: put positions that VideoMAE does not compute into the file, and the class
            that reads them beside it.

    Returns:
        The report and the folder.

    Raises:
        ValueError: if Hugging Face's VideoMAE cannot compute the same.
    """
    size = EncoderSize.of(state_dict)
    if size.layer_scale:
        raise ValueError("Hugging Face's VideoMAE has no layer scale (gamma_1, gamma_2)")
    classifies = f'{HEAD}weight' in state_dict
    pools = classifies or 'backbone.norm.weight' not in state_dict
    own_positions = _positions_differ(state_dict)
    if own_positions and not custom_code:
        raise ValueError(
            "Hugging Face's VideoMAE computes its own positions (sinusoid_1d) and would ignore "
            'the others in this model: --custom-code writes a Python file with the weights, for '
            'from_pretrained(..., trust_remote_code=True)'
        )
    conversion = _rename_for_huggingface(state_dict, classifies, pools, own_positions)
    config = model_config(
        size, clip, attention_heads(size.embed_dims, num_heads), classifies, pools
    )
    if classifies:
        config |= label_names(state_dict[f'{HEAD}bias'].shape[0], labels)
    elif labels is not None:
        raise ValueError('it has no classification head, so it takes no --labels')
    if own_positions:
        config['auto_map'] = {
            'AutoModel': f'{_CODE.stem}.VideoMAEModelWithPositions',
            'AutoModelForVideoClassification': (
                f'{_CODE.stem}.VideoMAEForVideoClassificationWithPositions'
            ),
        }
    return conversion, HuggingFaceFolder(
        conversion.state_dict,
        config,
        preprocessor_config(clip.img_size),
        _CODE if own_positions else None,
    )


def _positions_differ(state: Mapping[str, Tensor]) -> bool:
    table = state[POSITION_KEY]
    return not torch.allclose(table.float(), sinusoid_1d(*table.shape[1:]), atol=1e-5)


def _rename_for_huggingface(
    state: Mapping[str, Tensor], classifies: bool, pools: bool, own_positions: bool
) -> Conversion:
    prefix = 'videomae.' if classifies else ''
    rules = (_WRITE_FOR_OWN_CODE if own_positions else []) + _WRITE
    rules, drops = [(old, prefix + new) for old, new in rules], []
    if classifies:
        rules += [
            (r'backbone\.fc_norm\.(weight|bias)', r'fc_norm.\1'),
            (r'cls_head\.fc_cls\.(weight|bias)', r'classifier.\1'),
        ]
        drops.append((r'backbone\.norm\..*', 'norm of the pre-training; a classifier pools first'))
    else:
        drops.append((r'backbone\.fc_norm\..*', 'norm of a head that the model does not have'))
        if not pools:
            rules.append((r'backbone\.norm\.(weight|bias)', r'layernorm.\1'))
    if not own_positions:
        rules = [(old, new) for old, new in rules if 'pos_embed' not in old]
        drops.append((r'backbone\.pos_embed', 'sinusoid_1d, which the model computes itself'))
    conversion = rename(state, rules, drops, 'MMAction2 ViT')
    result = conversion.state_dict
    for key in [key for key in result if key.endswith('.qkv.weight')]:
        names = [key.replace('.qkv.', f'.{name}.') for name in ('query', 'key', 'value')]
        result |= dict(zip(names, result.pop(key).clone().chunk(3)))
    return conversion
