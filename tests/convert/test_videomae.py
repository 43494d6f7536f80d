import pytest
import torch
from mmaction.models.backbones.vit_mae import VisionTransformer

from pmd_mmaction.convert import videomae_to_mmaction

SIZES = dict(img_size=16, patch_size=8, embed_dims=24, depth=2, num_heads=2, num_frames=4)


def official_state(prefix: str = 'encoder.') -> dict:
    """Keys and shapes of VideoMAE's own pre-training file, with random values."""
    d, shapes = 24, {}
    for i in range(2):
        block = f'{prefix}blocks.{i}.'
        for norm in ('norm1', 'norm2'):
            shapes |= {f'{block}{norm}.weight': (d,), f'{block}{norm}.bias': (d,)}
        shapes |= {
            f'{block}attn.q_bias': (d,),
            f'{block}attn.v_bias': (d,),
            f'{block}attn.qkv.weight': (3 * d, d),
            f'{block}attn.proj.weight': (d, d),
            f'{block}attn.proj.bias': (d,),
            f'{block}mlp.fc1.weight': (4 * d, d),
            f'{block}mlp.fc1.bias': (4 * d,),
            f'{block}mlp.fc2.weight': (d, 4 * d),
            f'{block}mlp.fc2.bias': (d,),
        }
    shapes |= {
        f'{prefix}patch_embed.proj.weight': (d, 3, 2, 8, 8),
        f'{prefix}patch_embed.proj.bias': (d,),
        f'{prefix}norm.weight': (d,),
        f'{prefix}norm.bias': (d,),
    }
    return {key: torch.randn(shape) for key, shape in shapes.items()}


def test_every_weight_of_the_encoder_arrives():
    source = official_state() | {
        'mask_token': torch.zeros(1),
        'encoder_to_decoder.weight': torch.zeros(1),
        'decoder.blocks.0.norm1.weight': torch.zeros(1),
    }
    result = videomae_to_mmaction(source)
    network = VisionTransformer(**SIZES, use_mean_pooling=False)
    missing, unexpected = network.load_state_dict(result.state_dict, strict=False)
    assert (missing, unexpected) == (['pos_embed'], [])  # a fixed table, not in VideoMAE's file
    assert set(result.dropped) == {
        'mask_token',
        'encoder_to_decoder.weight',
        'decoder.blocks.0.norm1.weight',
    }
    assert torch.equal(
        network.blocks[1].mlp.layers[1].weight, source['encoder.blocks.1.mlp.fc2.weight']
    )
    assert torch.equal(network.blocks[0].attn.v_bias, source['encoder.blocks.0.attn.v_bias'])


def test_the_decoders_of_mvd_are_dropped():
    names = ['down_img.weight', 'down_img.bias', 'down_vid.weight', 'pos_embed_img']
    names += ['pos_embed_vid', 'mask_token_img', 'decoder_vid.blocks.0.norm1.weight']
    result = videomae_to_mmaction(official_state() | {name: torch.zeros(1) for name in names})
    assert set(result.dropped) == set(names)


def test_a_fine_tuned_file_has_no_prefix():
    source = official_state(prefix='')
    source['fc_norm.weight'] = source.pop('norm.weight')
    source['fc_norm.bias'] = source.pop('norm.bias')
    source |= {'head.weight': torch.zeros(5, 24), 'head.bias': torch.zeros(5)}
    result = videomae_to_mmaction(source)
    network = VisionTransformer(**SIZES)
    missing, unexpected = network.load_state_dict(result.state_dict, strict=False)
    assert (missing, unexpected) == (['pos_embed'], [])
    assert set(result.dropped) == {'head.weight', 'head.bias'}


def test_unknown_keys_are_named():
    with pytest.raises(ValueError, match='layer1.0.conv1.weight'):
        videomae_to_mmaction({'layer1.0.conv1.weight': torch.zeros(1)})


def test_a_file_without_encoder_is_refused():
    with pytest.raises(ValueError, match='none of the expected keys'):
        videomae_to_mmaction({'head.bias': torch.zeros(1)})
