"""FeatureDecoder."""

import copy

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


class StockDecoder(torch.nn.Module):
    """All layers for all tokens of each clip by itself, on stock blocks with the same weights."""

    def __init__(self, decoder):
        super().__init__()
        dims = decoder.embed.out_features
        self.own = copy.deepcopy(decoder)
        blocks = [Block(dims, decoder.blocks[0].attn.num_heads) for _ in decoder.blocks]
        for stock, own in zip(blocks, self.own.blocks):
            stock.load_state_dict(own.state_dict())
        self.own.blocks = torch.nn.ModuleList(blocks).to(decoder.head.weight.dtype)
        self.positions = get_sinusoid_encoding(10, dims)[0].to(decoder.head.weight.dtype)

    def forward(self, tokens, visible_index, masked_index):
        own, clips = self.own, []
        for clip, visible, masked in zip(tokens, visible_index, masked_index):
            bias = 0 if own.embed.bias is None else own.embed.bias
            seen = clip @ own.embed.weight.T + bias + self.positions[visible]
            x = torch.cat([seen, own.mask_token[0, 0] + self.positions[masked]])[None]
            for block in own.blocks:
                x = block(x)
            x = F.layer_norm(x, x.shape[-1:], own.norm.weight, own.norm.bias, 1e-6)
            clips.append((x @ own.head.weight.T + own.head.bias)[0, len(visible) :])
        return torch.stack(clips)


@pytest.mark.parametrize('depth', [1, 2, 3])
@pytest.mark.parametrize('clips', [1, 2])
@pytest.mark.parametrize('bias', [False, True])
def test_values_and_gradients_equal_stock_blocks_over_all_tokens(randomize, depth, clips, bias):
    decoder = randomize(FeatureDecoder(**SIZES, depth=depth, embed_bias=bias)).double()
    stock = StockDecoder(decoder)
    results = []
    for run, module in ((decoder, decoder), (stock, stock.own)):
        x = tokens()[:clips].double().requires_grad_()
        out = run(x, VISIBLE[:clips], MASKED[:clips])
        (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
        grads = {name: p.grad for name, p in module.named_parameters()}
        results.append((out, x.grad, grads))
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)


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


def test_init_weights_draws_the_prediction():
    decoder = FeatureDecoder(**SIZES)
    decoder.init_weights()
    bound = (6 / (16 + 7)) ** 0.5  # Xavier, uniform
    assert 0.9 * bound < decoder.head.weight.abs().max() <= bound
    assert decoder.head.bias.abs().max() == 0


def test_every_parameter_gets_a_gradient(decoder):
    decoder(tokens(), VISIBLE, MASKED).square().sum().backward()
    assert [n for n, p in decoder.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize('depth, rates', [(1, [0]), (2, [0, 0.4]), (3, [0, 0.2, 0.4])])
def test_drop_path_rises_from_0_to_its_rate(depth, rates):
    decoder = FeatureDecoder(**SIZES, depth=depth, drop_path_rate=0.4)
    found = [getattr(block.drop_path, 'drop_prob', 0) for block in decoder.blocks]
    assert found == pytest.approx(rates)


def test_drop_path_skips_halves_of_the_last_block_in_training_alone(randomize):
    decoder = randomize(FeatureDecoder(**SIZES, drop_path_rate=0.5))
    plain = FeatureDecoder(**SIZES).eval()
    plain.load_state_dict(decoder.state_dict())
    torch.testing.assert_close(
        decoder.eval()(tokens(), VISIBLE, MASKED), plain(tokens(), VISIBLE, MASKED)
    )
    torch.manual_seed(0)
    decoder.train()
    clips = [decoder(tokens(), VISIBLE, MASKED)[0] for _ in range(60)]
    # either half is there, twice as large, or not
    assert len({tuple(clip[0].tolist()) for clip in clips}) == 4


def test_the_first_projection_has_a_bias_if_it_is_asked_for():
    assert 'embed.bias' not in FeatureDecoder(**SIZES).state_dict()
    decoder = FeatureDecoder(**SIZES, embed_bias=True)
    decoder.init_weights()
    assert decoder.state_dict()['embed.bias'].abs().max() == 0


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
        (dict(depth=0), 'FeatureDecoder: depth is 0; it must be'),
        (dict(embed_bias=1), 'FeatureDecoder: embed_bias is 1; it must be True or False'),
        (dict(drop_path_rate=1), 'FeatureDecoder: drop_path_rate is 1; it must be a number'),
        (dict(num_heads=3), 'FeatureDecoder: embed_dims=16 is not a multiple of num_heads=3'),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        FeatureDecoder(**{**SIZES, **options})
