"""Whole pre-training models of the public codes: encoder, decoders, projections, generators."""

from typing import Mapping

from torch import Tensor

from pmd_mmaction.convert.encoder import EncoderSize
from pmd_mmaction.convert.layers import check_pairs, read_layers
from pmd_mmaction.convert.rename import Conversion, rename
from pmd_mmaction.convert.videomae import BLOCKS, PART, RULES, rules_below

# A decoder, wherever it lies.
_DECODER = [*BLOCKS, (rf'(norm|head)\.{PART}', r'{}.{}')]
_DROPS = [
    (r'pos_embed_(img|vid)', 'positions of a decoder, which are computed'),
    (r'generators\.\d+\.norm\..*', "a norm that AMD's generators do not use"),
]


def _rules(target: str) -> list[tuple[str, str]]:
    """What is renamed; ``target`` is what the only decoder predicts."""
    only, align = f'decoders.{target}', 'terms.align'
    return [
        (r'mask_token_(img|vid)', r'decoders.\1.mask_token'),
        (rf'down_(img|vid)\.{PART}', r'decoders.\1.embed.\2'),
        *rules_below(r'decoder_(img|vid)\.', r'decoders.\1.', _DECODER),
        (r'mask_token', f'{only}.mask_token'),
        (rf'encoder_to_decoder\.{PART}', rf'{only}.embed.\1'),
        *rules_below(r'decoder\.', f'{only}.', _DECODER),
        (r'projection_heads\.(\d+)\.weight', rf'{align}.projections.vid.\1.weight'),
        (r'generator_mask_tokens\.(\d+)', rf'{align}.generators.vid.\1.mask_token'),
        *rules_below(r'generators\.(\d+)\.', rf'{align}.generators.vid.\1.'),
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
