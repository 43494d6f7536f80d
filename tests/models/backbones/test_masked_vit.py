"""MaskedVisionTransformer against MMAction2's VisionTransformer."""

import math

import pytest
import torch
from mmaction.models.backbones.vit_mae import VisionTransformer
from mmaction.registry import MODELS
from mmcv.cnn.bricks.transformer import PatchEmbed

from pmd_mmaction.functional import sincos_3d, sinusoid_1d
from pmd_mmaction.models import MaskedVisionTransformer

VARIANTS = [
    dict(use_mean_pooling=True),
    dict(use_mean_pooling=False),
    dict(use_mean_pooling=False, return_feat_map=True),
    dict(use_mean_pooling=True, return_feat_map=True),
    dict(qkv_bias=False),
    dict(init_values=0.5),
    dict(qk_scale=0.1, mlp_ratio=2.0),
]
VISIBLE = torch.tensor([[0, 3, 5, 17, 30], [1, 2, 16, 18, 31]])


@pytest.fixture
def pair(sizes, randomize):
    """Builds the stock class and ours with the same random weights."""

    def make(activation_checkpointing=False, **options):
        stock = randomize(VisionTransformer(**sizes.student, **options)).eval().double()
        ours = (
            MaskedVisionTransformer(
                **sizes.student, **options, activation_checkpointing=activation_checkpointing
            )
            .eval()
            .double()
        )
        ours.load_state_dict(stock.state_dict())
        return stock, ours

    return make


def make(sizes, **options):
    return MaskedVisionTransformer(**{**sizes.student, 'use_mean_pooling': False, **options})


def embedded(stock, clips):
    return stock.patch_embed(clips)[0] + stock.pos_embed


def gathered(tokens, index):
    return torch.stack([tokens[b, index[b]] for b in range(len(index))])


# --- same as the stock class ---


@pytest.mark.parametrize('options', VARIANTS)
@pytest.mark.parametrize('checkpointing', [False, True])
def test_forward_equals_the_stock_class(pair, random_clips, options, checkpointing):
    stock, ours = pair(checkpointing, **options)
    clips = random_clips().double()
    torch.testing.assert_close(ours(clips), stock(clips), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('options', VARIANTS)
def test_parameters_have_the_names_and_shapes_of_the_stock_class(pair, options):
    stock, ours = pair(**options)
    shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (stock, ours)]
    assert shapes[0] == shapes[1]
    assert [n for n, _ in stock.named_parameters()] == [n for n, _ in ours.named_parameters()]


def test_learnable_positions_are_those_of_the_stock_class(sizes, randomize, random_clips):
    stock = randomize(VisionTransformer(**sizes.student, use_learnable_pos_emb=True)).eval()
    ours = make(sizes, position='learnable', use_mean_pooling=True).eval()
    ours.load_state_dict(stock.state_dict())
    assert ours.pos_embed.requires_grad
    torch.testing.assert_close(ours(random_clips()), stock(random_clips()), rtol=1e-5, atol=1e-5)


def test_gradients_equal_those_of_the_stock_class(pair, random_clips):
    stock, ours = pair(use_mean_pooling=False, return_feat_map=True)
    for model in (stock, ours):
        model(random_clips().double()).square().sum().backward()
    for (name, a), b in zip(stock.named_parameters(), ours.parameters()):
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-6, atol=1e-6, msg=name)


def test_drop_path_rises_as_in_the_stock_class(sizes):
    models = [
        c(**sizes.student, drop_path_rate=0.3)
        for c in (VisionTransformer, MODELS.get('MaskedVisionTransformer'))
    ]
    rates = [[getattr(b.drop_path, 'drop_prob', 0) for b in m.blocks] for m in models]
    assert rates[0] == rates[1]
    assert rates[1][-1] == pytest.approx(0.3)


# --- masked ---


def test_encode_equals_the_stock_blocks_on_gathered_tokens(pair, random_clips):
    stock, ours = pair(use_mean_pooling=False)
    clips, layers = random_clips().double(), []
    tokens = gathered(embedded(stock, clips), VISIBLE)
    for block in stock.blocks:
        tokens = block(tokens)
        layers.append(tokens)
    encoded = ours.encode(clips, VISIBLE, layers=(1, 4, 5))
    torch.testing.assert_close(encoded.tokens, stock.norm(tokens), rtol=1e-5, atol=1e-5)
    expected = (layers[1], layers[4], layers[5])
    torch.testing.assert_close(encoded.layers, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(list(ours.iter_layers(clips, VISIBLE)), layers, rtol=1e-5, atol=1e-5)


def test_masked_pixels_do_not_reach_the_visible_tokens(sizes, random_clips):
    model, clips = make(sizes), random_clips()
    disturbed = clips.clone()
    disturbed[:, :, :2, 12:, 12:] = 9.0  # patch 15
    visible = torch.arange(15).expand(2, -1)
    assert torch.equal(model.encode(clips, visible).tokens, model.encode(disturbed, visible).tokens)
    assert not torch.equal(model.encode(clips).tokens, model.encode(disturbed).tokens)


def test_all_patches_in_order_is_the_same_as_no_mask(sizes, random_clips):
    model, clips = make(sizes), random_clips()
    every = torch.arange(32).expand(2, -1)
    torch.testing.assert_close(model.encode(clips, every).tokens, model.encode(clips).tokens)


def test_no_layer_is_kept_unless_asked_for(sizes, random_clips):
    assert make(sizes).encode(random_clips()).layers == ()


# --- grid and positions ---


def test_rectangular_clips(sizes, random_clips):
    model = make(sizes, img_size=(8, 16), return_feat_map=True)
    assert (model.token_grid, model.num_patches) == ((2, 2, 4), 16)
    clips = random_clips(height=8)
    positions = model.pos_embed
    assert torch.equal(positions, sinusoid_1d(16, 24))
    expected = PatchEmbed.forward(model.patch_embed, clips)[0] + positions
    torch.testing.assert_close(model.embed(clips), expected)
    feature_map = model(clips)
    assert feature_map.shape == (2, 24, 2, 2, 4)
    tokens = model.encode(clips).tokens
    torch.testing.assert_close(feature_map[1, :, 1, 0, 3], tokens[1, 8 + 3])


@pytest.mark.parametrize('size', [(4, 16, 16), (4, 24, 12), (5, 19, 17)])
def test_the_embedding_is_a_convolution(sizes, size):
    """What fills no patch at the end of a side is left out."""
    embed, clips = make(sizes).patch_embed, torch.randn(2, 3, *size)
    expected, _ = PatchEmbed.forward(embed, clips)
    found, grid = embed(clips)
    torch.testing.assert_close(found, expected)
    assert found.shape[1] == math.prod(grid)


def test_sinusoid_is_the_default_position(sizes):
    assert torch.equal(make(sizes).pos_embed, sinusoid_1d(32, 24))


def test_sincos_positions_are_added(sizes, random_clips):
    model, clips = make(sizes, position='sincos_3d'), random_clips()
    expected = PatchEmbed.forward(model.patch_embed, clips)[0] + sincos_3d((2, 4, 4), 24)
    torch.testing.assert_close(model.embed(clips), expected)
    assert 'pos_embed' in model.state_dict()


def test_learnable_positions_of_a_rectangle_are_drawn(sizes):
    model = make(sizes, img_size=(8, 16), position='learnable')
    assert isinstance(model.pos_embed, torch.nn.Parameter)
    assert model.pos_embed.shape == (1, 16, 24)
    assert 0.005 < model.pos_embed.std() < 0.02


def test_the_linear_layers_start_with_xavier(sizes):
    model = make(sizes)
    model.init_weights()
    weight = model.blocks[3].mlp.layers[1].weight  # 96 to 24
    bound = (6 / (96 + 24)) ** 0.5
    assert 0.95 * bound < weight.abs().max() <= bound
    assert model.blocks[3].attn.proj.bias.abs().max() == 0


# --- activation checkpointing ---


def test_activation_checkpointing_changes_neither_values_nor_gradients(
    sizes, randomize, random_clips, monkeypatch
):
    results, calls = [], []
    original = torch.utils.checkpoint.checkpoint
    monkeypatch.setattr(
        'pmd_mmaction.models.backbones.blocks.checkpoint',
        lambda *args, **kwargs: calls.append(1) or original(*args, **kwargs),
    )
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = randomize(
            make(sizes, activation_checkpointing=checkpointing, drop_path_rate=0.3)
        ).train()
        torch.manual_seed(1)
        tokens = model.encode(random_clips(4), VISIBLE.repeat(2, 1)).tokens
        tokens.square().sum().backward()
        results.append((tokens, [p.grad for p in model.parameters()]))
    torch.testing.assert_close(*results)
    assert len(calls) == sizes.student['depth']


# --- errors ---


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(img_size=18), r'height=18 is not a multiple of patch_size=4'),
        (dict(img_size=(16, 18)), r'width=18 is not a multiple of patch_size=4'),
        (dict(num_frames=5), r'num_frames=5 is not a multiple of tubelet_size=2'),
        (dict(num_heads=5), r'embed_dims=24 is not a multiple of num_heads=5'),
        (dict(position='rotary'), r"position is 'rotary'"),
    ],
)
def test_impossible_options_are_named(sizes, options, message):
    with pytest.raises(ValueError, match=message):
        make(sizes, **options)


def test_a_misspelt_option_is_refused(sizes):
    with pytest.raises(TypeError, match='drop_path'):
        make(sizes, drop_path=0.1)


@pytest.mark.parametrize('size', [dict(frames=8), dict(height=20), dict(width=12)])
def test_clips_of_another_size_are_refused(sizes, random_clips, size):
    with pytest.raises(ValueError, match=r'configured for \(3, 4, 16, 16\)'):
        make(sizes).encode(random_clips(**size))
