"""What weights show, and their positions."""

import pytest
import torch
from mmaction.models.backbones.vit_mae import VisionTransformer

from pmd_mmaction.convert import ClipSize, Conversion, EncoderSize, fit_positions
from pmd_mmaction.convert.encoder import attention_heads
from pmd_mmaction.functional import position_table, resize_positions

CLIP = ClipSize(4, 32)


@pytest.fixture
def state():
    network = VisionTransformer(
        img_size=32, patch_size=8, embed_dims=24, depth=3, num_heads=2, mlp_ratio=3, num_frames=4
    )
    return {f'backbone.{key}': value for key, value in network.state_dict().items()}


def fitted(state, position='sinusoid_1d', source=CLIP, target=CLIP):
    return fit_positions(Conversion(state, {}, {}), position, source, target)


def test_sizes(state):
    assert EncoderSize.of(state) == EncoderSize(24, 3, 72, 8, 2, True, False)


@pytest.mark.parametrize('width, heads', [(384, 6), (768, 12), (1024, 16), (1280, 16)])
def test_heads_of_published_widths(width, heads):
    assert attention_heads(width, None) == heads


@pytest.mark.parametrize('given, message', [(None, 'give it with --num-heads'), (5, '5 heads do')])
def test_heads_that_cannot_be_told(given, message):
    with pytest.raises(ValueError, match=message):
        attention_heads(24, given)


@pytest.mark.parametrize(
    'lost, message',
    [
        ('backbone.patch_embed.projection.weight', 'no patch embedding'),
        ('backbone.blocks.1.attn.v_bias', r"layer 1 is not complete: missing \['attn.v_bias'\]"),
        ('backbone.blocks.0.attn.v_bias', r"layer 0 is not complete: missing \['attn.v_bias'\]"),
        ('backbone.blocks.2.mlp.layers.1.bias', 'layer 2 is not complete'),
    ],
)
def test_a_lost_weight_is_named(state, lost, message):
    del state[lost]
    with pytest.raises(ValueError, match=message):
        EncoderSize.of(state)


@pytest.mark.parametrize('lost', ['attn.v_bias', 'mlp.layers.1.bias'])
def test_a_weight_lost_in_every_layer_is_named(state, lost):
    state = {key: value for key, value in state.items() if not key.endswith(lost)}
    with pytest.raises(ValueError, match=rf"its layers lack \['{lost}'\]"):
        EncoderSize.of(state)


def test_a_lost_layer_is_named(state):
    state = {key: value for key, value in state.items() if 'blocks.1.' not in key}
    with pytest.raises(ValueError, match=r'its layers are \[0, 2\]'):
        EncoderSize.of(state)


@pytest.mark.parametrize('position', ['sinusoid_1d', 'sincos_3d'])
def test_positions_of_the_source_are_added(state, position):
    del state['backbone.pos_embed']
    result = fitted(state, position)
    expected = position_table(position, (2, 4, 4), 24)
    assert torch.equal(result.state_dict['backbone.pos_embed'], expected)
    assert position in result.notes[0]


def test_positions_of_the_file_are_kept(state):
    state['backbone.pos_embed'] = torch.randn(1, 32, 24)
    result = fitted(state)
    assert result.state_dict['backbone.pos_embed'] is state['backbone.pos_embed']
    assert result.notes == ()


def test_other_clips_interpolate_and_say_so(state):
    state['backbone.pos_embed'] = table = torch.randn(1, 32, 24)
    result = fitted(state, target=ClipSize(8, 48))
    expected = resize_positions(table, (2, 4, 4), (4, 6, 6))
    assert torch.equal(result.state_dict['backbone.pos_embed'], expected)
    assert '4 frames of 32 px to 8 frames of 48 px' in result.notes[0]


@pytest.mark.parametrize(
    'clip, message',
    [
        (ClipSize(8, 32), '32 positions, but 8 frames of 32 px make 64'),
        (ClipSize(4, 36), 'not a whole number of patches of 2 frames and 8 px'),
        (ClipSize(3, 32), 'not a whole number of patches'),
    ],
)
def test_a_wrong_clip_is_refused(state, clip, message):
    with pytest.raises(ValueError, match=message):
        fitted(state, source=clip, target=clip)
