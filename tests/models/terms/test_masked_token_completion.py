"""MaskedTokenCompletion against explicit attention."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import get_sinusoid_encoding

from pmd_mmaction.functional import sinusoid_1d
from pmd_mmaction.models.terms.masked_token_completion import MaskedTokenCompletion

VISIBLE = torch.tensor([[0, 3, 9], [1, 2, 5]])
MASKED = torch.tensor([[1, 2, 4, 8], [0, 3, 7, 9]])


def linear(layer, x):
    return x @ layer.weight.T + layer.bias


def test_values_equal_explicit_softmax_attention(randomize):
    module = randomize(MaskedTokenCompletion(sinusoid_1d(10, 128)))
    tokens = torch.randn(2, 3, 128)
    positions = get_sinusoid_encoding(10, 128)[0]
    result = module(tokens, VISIBLE, MASKED)
    assert result.shape == (2, 4, 128)
    for b in range(2):
        normed = F.layer_norm(tokens[b], (128,), module.norm.weight, module.norm.bias, 1e-6)
        keys_values = linear(module.key_value, normed + positions[VISIBLE[b]])
        keys, values = keys_values[:, :128], keys_values[:, 128:]
        for m in range(4):
            query = linear(module.query, module.query_token[0, 0] + positions[MASKED[b, m]])
            heads = []
            for own in (slice(0, 64), slice(64, 128)):
                scores = [math.exp((query[own] @ k[own]).item() / math.sqrt(64)) for k in keys]
                heads.append(sum(s / sum(scores) * v[own] for s, v in zip(scores, values)))
            expected = linear(module.out, torch.cat(heads))
            torch.testing.assert_close(result[b, m], expected, rtol=1e-4, atol=1e-4)


def test_every_parameter_gets_a_gradient(randomize):
    module = randomize(MaskedTokenCompletion(sinusoid_1d(10, 128)))
    module(torch.randn(2, 3, 128), VISIBLE, MASKED).square().sum().backward()
    assert [n for n, p in module.named_parameters() if not p.grad.any()] == []


@pytest.mark.parametrize('dims, heads', [(48, 1), (128, 2), (224, 2), (352, 4), (768, 12)])
def test_heads_divide_the_width(dims, heads):
    assert MaskedTokenCompletion(sinusoid_1d(4, dims)).num_heads == heads
