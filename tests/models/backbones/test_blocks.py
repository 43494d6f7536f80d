"""Fused attention and the block in halves, against MMAction2's own."""

import copy

import pytest
import torch
from mmaction.models.backbones.vit_mae import Attention, Block

from pmd_mmaction.models.backbones import FusedAttention
from pmd_mmaction.models.backbones.blocks import SplitBlock, fuse_attention

OPTIONS = [dict(), dict(qk_scale=0.05), dict(qkv_bias=False), dict(num_heads=1)]


@pytest.mark.parametrize('options', OPTIONS)
@pytest.mark.parametrize('training', [False, True])
def test_values_and_gradients_equal_the_stock_attention(randomize, options, training):
    stock = randomize(Attention(**{**dict(embed_dims=24, num_heads=3), **options}))
    stock = stock.double().train(training)
    fused = copy.deepcopy(stock)
    fused.__class__ = FusedAttention
    tokens = torch.randn(2, 7, 24, dtype=torch.float64)
    results = []
    for attention in (stock, fused):
        x = tokens.clone().requires_grad_()
        out = attention(x)
        out.square().sum().backward()
        results.append((out, x.grad, [p.grad for p in attention.parameters()]))
    torch.testing.assert_close(*results)


def test_dropout_acts_in_training_only():
    attention = FusedAttention(24, num_heads=3, attn_drop_rate=0.5)
    tokens = torch.randn(1, 9, 24)
    assert not torch.equal(attention(tokens), attention(tokens))
    attention.eval()
    assert torch.equal(attention(tokens), attention(tokens))


def test_fusing_keeps_the_parameters():
    block = Block(embed_dims=24, num_heads=3)
    weight = block.attn.qkv.weight
    fuse_attention(block)
    assert isinstance(block.attn, FusedAttention)
    assert block.attn.qkv.weight is weight


@pytest.mark.parametrize('first', [0, 2])
def test_a_block_in_halves_equals_the_stock_block(randomize, first):
    options = dict(mlp_ratio=2.0, norm_cfg=dict(type='LN', eps=1e-3))
    stock = randomize(Block(24, 3, **options)).double()
    split = SplitBlock(24, 3, **options).double()
    split.load_state_dict(stock.state_dict())
    tokens = torch.randn(2, 5, 24, dtype=torch.float64)
    results = []
    for run in (
        lambda x: stock(x)[:, first:],
        lambda x: split.finish(x, split.project(x), first),
    ):
        x = tokens.clone().requires_grad_()
        out = run(x)
        out.square().sum().backward()
        block = stock if not results else split
        results.append((out, x.grad, [p.grad for p in block.parameters()]))
    torch.testing.assert_close(*results)
