"""FeatureDecoder."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import Block, get_sinusoid_encoding

from pmd_mmaction.functional import sincos_3d
from pmd_mmaction.models import FeatureDecoder

SIZES = dict(in_dims=12, out_dims=7, token_grid=(1, 2, 5), embed_dims=16, num_heads=2)
VISIBLE = torch.tensor([[0, 3, 9], [1, 2, 5]])
MASKED = torch.tensor([[1, 2, 4, 8], [0, 3, 7, 9]])  # not all of the rest


@pytest.fixture
def decoder(randomize):
    return randomize(FeatureDecoder(**SIZES)).eval()


def tokens():
    return torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(0))


def test_the_output_equals_stock_blocks_over_visible_and_mask_tokens(decoder):
    positions = get_sinusoid_encoding(10, 16)[0]
    rows = []
    for b in range(2):
        visible = tokens()[b] @ decoder.embed.weight.T + positions[VISIBLE[b]]
        masked = decoder.mask_token[0, 0] + positions[MASKED[b]]
        rows.append(torch.cat([visible, masked]))
    x = torch.stack(rows)
    for own in decoder.blocks:
        block = Block(16, 2)
        block.load_state_dict(own.state_dict())
        x = block(x)
    x = F.layer_norm(x[:, 3:], (16,), decoder.norm.weight, decoder.norm.bias, 1e-6)
    expected = x @ decoder.head.weight.T + decoder.head.bias
    result = decoder(tokens(), VISIBLE, MASKED)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-4)


def test_the_order_of_visible_tokens_does_not_matter(decoder):
    order = torch.tensor([2, 0, 1])
    shuffled = decoder(tokens()[:, order], VISIBLE[:, order], MASKED)
    torch.testing.assert_close(shuffled, decoder(tokens(), VISIBLE, MASKED), rtol=1e-4, atol=1e-4)


def test_the_order_of_masked_patches_only_orders_the_output(decoder):
    order = torch.tensor([3, 1, 0, 2])
    shuffled = decoder(tokens(), VISIBLE, MASKED[:, order])
    expected = decoder(tokens(), VISIBLE, MASKED)[:, order]
    torch.testing.assert_close(shuffled, expected, rtol=1e-4, atol=1e-4)


def test_a_token_is_known_by_its_position(decoder):
    other = VISIBLE.clone()
    other[:, 0] = 6
    result = decoder(tokens(), VISIBLE, MASKED)
    assert not torch.allclose(decoder(tokens(), other, MASKED), result, atol=1e-3)


def test_init_weights_draws_the_mask_token():
    decoder = FeatureDecoder(**SIZES)
    decoder.init_weights()
    assert 0.005 < decoder.mask_token.std() < 0.04
    bound = (6 / (16 + 7)) ** 0.5  # Xavier, uniform
    assert 0.9 * bound < decoder.head.weight.abs().max() <= bound
    assert decoder.head.bias.abs().max() == 0


def test_every_parameter_gets_a_gradient(decoder):
    decoder(tokens(), VISIBLE, MASKED).square().sum().backward()
    assert [n for n, p in decoder.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_defaults_follow_the_encoder():
    decoder = FeatureDecoder(in_dims=128, out_dims=7, token_grid=(1, 2, 2))
    assert decoder.mask_token.shape == (1, 1, 128)
    assert len(decoder.blocks) == 2
    assert decoder.blocks[0].attn.num_heads == 2


def test_positions_may_be_those_of_time_row_and_column():
    decoder = FeatureDecoder(**SIZES, position='sincos_3d')
    assert torch.equal(decoder.positions, sincos_3d((1, 2, 5), 16))


def test_fixed_positions_are_not_saved(decoder):
    assert 'positions' not in decoder.state_dict()


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(position='learnable'), "position is 'learnable'"),
        (dict(depth=0), 'at least one layer, depth is 0'),
        (dict(num_heads=3), 'embed_dims=16 of the decoder is not a multiple of num_heads=3'),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        FeatureDecoder(**{**SIZES, **options})
