"""One step of VideoMAE's config against numbers of its own code (golden.py).

``test_videomae_parity.py`` has the same for :class:`MaskedAutoencoder`.
"""

import pytest
import torch

from pmd_mmaction.models import TubeMasker
from tests.models.recognizers.golden import Golden, check_gradients, check_groups, close

CONFIG = 'videomae/vit-b_k400_pretrain.py'


@pytest.fixture(scope='module')
def golden():
    return Golden('videomae')


@pytest.fixture
def make(golden, mmaction_scope):
    """Builds the config's model in the sizes of the file."""

    def build(normalize=True):
        return golden.build(CONFIG, lambda cfg: cfg.teachers.pixel.update(normalize=normalize))

    return build


def test_positions(golden, make):
    model = make()
    close(model.backbone.pos_embed, golden['pos.encoder'])
    close(model.decoders['pixel'].positions, golden['pos.decoder'])


def test_features_predictions_and_targets(golden, make):
    model, view = make(), golden.view()
    encoded = model.backbone.encode(golden['clip'], view.visible, range(model.backbone.depth))
    for index, layer in enumerate(encoded.layers):
        close(layer, golden[f'inter.student_block{index}'])
    close(encoded.tokens, golden['inter.student_encoder_normed'])
    decoder = model.decoders['pixel']
    close(decoder.embed(encoded.tokens), golden['inter.student_encoder_to_decoder'])
    close(decoder(encoded.tokens, *view), golden.rows('inter.pred'))
    target = view.at_masked(model.teachers['pixel'](golden['clip']).features)
    close(target, golden.rows('inter.target_normalised_masked'))
    raw = view.at_masked(make(normalize=False).teachers['pixel'](golden['clip']).features)
    close(raw[:1], golden.rows('inter.target_raw_masked_sample0'))


def test_losses_and_gradients(golden, make):
    model, views = make(), dict(student=golden.view())
    losses, *_ = model.distill(golden['clip'], views)
    assert set(losses) == {'loss_pixel'}
    close(losses['loss_pixel'], golden['loss.total'])
    losses['loss_pixel'].backward()
    check_gradients(golden, model)
    plain, *_ = make(normalize=False).distill(golden['clip'], views)
    close(plain['loss_pixel'], golden['loss.alt_unnormalised_target'])


def test_parameter_groups(golden, make):
    check_groups(golden, make(), CONFIG)


@pytest.mark.parametrize('method', ['videomae', 'mvd'])
def test_drawn_masks_are_like_the_recorded_ones(method):
    """Tubes, with as many masked patches per time step."""
    masks = Golden(method).part('extra_mask.tube_')
    assert masks
    for name, mask in masks.items():
        sides, ratio, _ = name.split('_')
        grid = tuple(int(side) for side in sides.split('x'))
        masker = TubeMasker(grid)
        view = masker.view(masker.order(2, torch.Generator().manual_seed(0)), float(ratio[1:]))
        drawn = torch.zeros(2, mask.numel(), dtype=torch.bool).scatter(1, view.masked, True)
        drawn = drawn.view(2, grid[0], -1)
        assert (drawn == drawn[:, :1]).all()
        assert drawn.sum(2).tolist() == [mask.view(grid[0], -1).sum(1).tolist()] * 2
