"""The blocks of a decoder alone, and a mask token that nothing trains."""

import pytest
import torch

from pmd_mmaction.models.heads import FeatureDecoder, FeatureGenerator

GRID = (2, 4, 4)


@pytest.fixture
def batch():
    """Tokens of 8 visible patches, their patches, and 6 others."""
    generator = torch.Generator().manual_seed(0)
    order = torch.rand(2, 32, generator=generator).argsort(1)
    index = [part.sort(1).values for part in (order[:, :8], order[:, 8:14])]
    return torch.randn(2, 8, 12, generator=generator), *index


@pytest.mark.parametrize('depth', [1, 2])
def test_it_is_a_decoder_without_its_ends(batch, randomize, depth):
    generator = randomize(FeatureGenerator(12, GRID, depth=depth, num_heads=3))
    decoder = FeatureDecoder(12, 12, GRID, depth=depth, num_heads=3)
    decoder.load_state_dict(generator.state_dict(), strict=False)
    torch.nn.init.eye_(decoder.embed.weight)
    decoder.norm = decoder.head = torch.nn.Identity()
    torch.testing.assert_close(generator(*batch), decoder(*batch))
    names = {name.split('.')[0] for name, _ in generator.named_parameters()}
    assert names == {'mask_token', 'blocks'}


def test_a_mask_token_that_is_not_trained_is_drawn_and_saved(batch):
    generator = FeatureGenerator(12, GRID, depth=1, num_heads=3, train_mask_token=False)
    token = generator.mask_token.clone()
    assert token.abs().max() > 0 and 'mask_token' in generator.state_dict()
    assert 'mask_token' not in dict(generator.named_parameters())
    generator.init_weights()
    generator(*batch).sum().backward()
    assert torch.equal(generator.mask_token, token) and not generator.mask_token.requires_grad
