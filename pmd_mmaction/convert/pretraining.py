"""Whole pre-training models of the public codes: encoder, decoders, projections, generators."""

import re
from typing import Mapping

from torch import Tensor

from pmd_mmaction.convert.encoder import EncoderSize
from pmd_mmaction.convert.layers import check_pairs, read_layers
from pmd_mmaction.convert.rename import Conversion, Pairs, rename
from pmd_mmaction.convert.videomae import RULES

_PART = r'(weight|bias)'
# A decoder, wherever it lies, in the names of VideoMAE's code and in ours.
_DECODER_BLOCKS = [
    (rf'blocks\.(\d+)\.(norm[12])\.{_PART}', r'blocks.{}.{}.{}'),
    (r'blocks\.(\d+)\.attn\.(q_bias|v_bias)', r'blocks.{}.attn.{}'),
    (rf'blocks\.(\d+)\.attn\.(qkv|proj)\.{_PART}', r'blocks.{}.attn.{}.{}'),
    (rf'blocks\.(\d+)\.mlp\.fc1\.{_PART}', r'blocks.{}.mlp.layers.0.0.{}'),
    (rf'blocks\.(\d+)\.mlp\.fc2\.{_PART}', r'blocks.{}.mlp.layers.1.{}'),
]
_DECODER = [*_DECODER_BLOCKS, (rf'(norm|head)\.{_PART}', r'{}.{}')]
_DROPS = [
    (r'pos_embed_(img|vid)', 'positions of a decoder, which are computed'),
    (r'generators\.\d+\.norm\..*', "a norm that AMD's generators do not use"),
]


def _below(pattern: str, place: str, rules: Pairs = _DECODER) -> list[tuple[str, str]]:
    """The rules of a decoder under a prefix."""
    first = re.compile(pattern).groups
    below = []
    for old, new in rules:
        groups = [rf'\{first + 1 + i}' for i in range(new.count('{}'))]
        below.append((pattern + old, place + new.format(*groups)))
    return below


def _rules(target: str) -> list[tuple[str, str]]:
    """What is renamed; ``target`` is what the only decoder predicts."""
    only, align = f'decoders.{target}', 'terms.align'
    return [
        (r'mask_token_(img|vid)', r'decoders.\1.mask_token'),
        (rf'down_(img|vid)\.{_PART}', r'decoders.\1.embed.\2'),
        *_below(r'decoder_(img|vid)\.', r'decoders.\1.'),
        (r'mask_token', f'{only}.mask_token'),
        (rf'encoder_to_decoder\.{_PART}', rf'{only}.embed.\1'),
        *_below(r'decoder\.', f'{only}.'),
        (r'projection_heads\.(\d+)\.weight', rf'{align}.projections.vid.\1.weight'),
        (r'generator_mask_tokens\.(\d+)', rf'{align}.generators.vid.\1.mask_token'),
        *_below(r'generators\.(\d+)\.', rf'{align}.generators.vid.\1.', _DECODER_BLOCKS),
        *RULES,
    ]


def read_pretraining(state_dict: Mapping[str, Tensor]) -> Conversion:
    """All that a pre-training of VideoMAE, V2, AMD, SMILE or MVD has learnt, to go on from here.

    The decoder of pixels has its rows in our order, channel after channel. What a single decoder
    predicts follows from its width: the pixels of a patch, or features of an image teacher (SMILE).

    Args:
        state_dict: the file's weights (what is under ``model`` or ``module``).

    Returns:
        ``backbone.*``, ``decoders.*`` and, of AMD, ``terms.align.*``, as in the model of the
        method's config.

    Raises:
        ValueError: naming keys that are unknown, or what is missing.
    """
    heads = [value for key, value in state_dict.items() if key.endswith('decoder.head.weight')]
    kernels = [v for k, v in state_dict.items() if k.endswith('patch_embed.proj.weight')]
    pixels = [len(head) for head in heads] == [kernel[0].numel() for kernel in kernels]
    read = rename(
        state_dict, _rules('pixel' if pixels else 'img'), _DROPS, 'VideoMAE or MVD pre-training'
    )
    state = read.state_dict
    _check_complete(state)
    for key in ('decoders.pixel.head.weight', 'decoders.pixel.head.bias'):
        if key in state:  # (pixel, channel) to (channel, pixel)
            state[key] = state[key].unflatten(0, (-1, 3)).transpose(0, 1).flatten(0, 1)
    return read


def _check_complete(state: Mapping[str, Tensor]) -> None:
    EncoderSize.of(state)
    _, layer = read_layers(state, 'backbone.blocks.')
    names = sorted({key.split('.')[1] for key in state if key.startswith('decoders.')})
    if not names:
        raise ValueError('it has no decoder: convert it --to mmaction')
    for name in names:
        prefix = f'decoders.{name}.'
        depth, _ = read_layers(state, f'{prefix}blocks.')
        check_pairs(state, [f'{prefix}norm', f'{prefix}head'])
        wanted = ['mask_token', 'embed.weight', 'head.weight', 'norm.weight']
        wanted += [f'blocks.{i}.{w}' for i in range(depth) for w in layer if 'gamma' not in w]
        lost = sorted(part for part in wanted if prefix + part not in state)
        if lost:
            raise ValueError(f'the decoder {name} lacks {lost}')
