"""One step of VideoMAE V2 against numbers of its own code (golden.py)."""

import pytest
import torch

from pmd_mmaction.functional import split_mask
from pmd_mmaction.models import RunningCellMasker
from pmd_mmaction.models.maskers import Views, WholeClipView
from pmd_mmaction.models.maskers.tube import TubeMasker
from tests.models.recognizers.golden import Golden, check_gradients, check_groups, close

CONFIG = 'videomaev2/vit-b_k400_pretrain.py'


@pytest.fixture(scope='module')
def golden():
    return Golden('videomaev2')


@pytest.fixture
def make(golden, mmaction_scope):
    """Builds the config's model in the sizes of the file."""

    def build(normalize=True):
        def change(cfg):
            cfg.views.decode.mask_ratio = golden.size['dec_ratio']
            cfg.teachers.pixel.normalize = normalize

        return golden.build(CONFIG, change)

    return build


@pytest.fixture
def view(golden):
    """The recorded masks of encoder and decoder."""
    kept = ~golden['decoder_mask']
    decoded, _ = split_mask(~kept, int(kept[0].sum()))
    return WholeClipView(golden.view().visible, decoded)


def test_positions(golden, make):
    model = make()
    close(model.backbone.pos_embed, golden['pos.encoder'])
    close(model.decoders['pixel'].positions, golden['pos.decoder'])


def test_counted_patches(golden, view):
    assert torch.equal(view.counted, golden['inter.decoded_token_counts_in_loss'])
    assert view.counted.sum(1).tolist() == golden.size['counted_per_clip']


def test_features_predictions_and_targets(golden, make, view):
    model = make()
    encoded = model.backbone.encode(golden['clip'], view.visible, range(model.backbone.depth))
    for index, layer in enumerate(encoded.layers):
        close(layer, golden[f'inter.student_block{index}'])
    close(encoded.tokens, golden['inter.student_encoder_normed'])
    decoder = model.decoders['pixel']
    close(decoder.embed(encoded.tokens), golden['inter.student_encoder_to_decoder'])
    close(decoder(encoded.tokens, *view), golden.rows('inter.pred'))
    target = view.at_masked(model.teachers['pixel'](golden['clip']).features)
    close(target, golden.rows('inter.target_normalised_decoded'))


def test_loss_and_gradients(golden, make, view):
    model = make()
    losses, *_ = model.distill(golden['clip'], dict(student=view))
    assert set(losses) == {'loss_pixel'}
    close(losses['loss_pixel'], golden['loss.total'])
    losses['loss_pixel'].backward()
    check_gradients(golden, model)


def test_other_losses(golden, make, view):
    plain, *_ = make(normalize=False).distill(golden['clip'], dict(student=view))
    close(plain['loss_pixel'], golden['loss.alt_unnormalised_target'])
    all_masked, *_ = make().distill(golden['clip'], dict(student=golden.view()))
    close(all_masked['loss_pixel'], golden['loss.alt_no_decoder_masking'])


def test_parameter_groups(golden, make):
    check_groups(golden, make(), CONFIG)


# --- masks ---


def kept_patches(decode, batch, ratio, seed=0):
    """``(B, T, H * W)`` bool: what a decoding masker leaves out."""
    order = decode.order(batch, torch.Generator().manual_seed(seed))
    masked = decode.view(order, ratio).masked
    t, h, w = decode.token_grid
    return (
        torch.zeros(batch, t * h * w, dtype=torch.bool).scatter(1, masked, True).view(batch, t, -1)
    )


def test_the_four_maps_of_running_cells(golden):
    for name, maps in golden.part('running_cell_maps.').items():
        if name == 'main_grid':
            grid, ratio = golden.size['grid'], golden.size['dec_ratio']
        else:
            sides, _, ratio = name.partition('_r')
            grid, ratio = [int(side) for side in sides.split('x')], float(ratio)
        drawn = kept_patches(RunningCellMasker(tuple(grid), backward=True), 64, ratio)
        found = {tuple(mask.flatten().tolist()) for mask in drawn}
        assert found == {tuple(mask.flatten().tolist()) for mask in maps}, name


def test_drawn_masks_are_like_the_recorded_ones(golden, make):
    """As many visible, decoded and counted patches per time step, and maps that are recorded."""
    pairs = golden.part('extra_mask.')
    encoder = [(key, mask) for key, mask in pairs.items() if key.startswith('encoder_')]
    assert encoder
    for key, mask in encoder:
        sides, ratio, seed = key.removeprefix('encoder_').split('_')
        grid = tuple(int(side) for side in sides.split('x'))
        (other,) = (k for k in pairs if k.startswith('decoder_') and k.endswith(f'_{seed}'))
        decode_ratio = float(other.split('_r')[1].split('_')[0])
        masker = RunningCellMasker(grid, backward=True)
        views = Views(TubeMasker(grid), decode=masker, decode_ratio=decode_ratio, whole_clip=True)
        view = views.draw(3, float(ratio[1:]), torch.Generator().manual_seed(0))['student']
        assert view.visible.shape[1] == int((~mask).sum())
        assert view.masked.shape[1] == int((~pairs[other]).sum())
        notes = golden.notes['extra_masks'][seed]
        if grid[0] % 4 == 0:
            assert view.counted.sum(1).tolist() == [notes['decoded_and_in_loss']] * 3
