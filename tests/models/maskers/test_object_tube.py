"""ObjectTubeMasker, and how a masker gets what it reads of the data samples."""

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from pmd_mmaction.functional import object_tokens
from pmd_mmaction.models import Masker, ObjectTubeMasker

GRID, CLIP = (2, 4, 4), (3, 4, 16, 16)


def draw(boxes, ratio=0.75, seed=0, grid=GRID, clip=CLIP, **options):
    """``(B, N)`` mask."""
    masker = ObjectTubeMasker(grid, clip, **options)
    generator = torch.Generator().manual_seed(seed)
    order = masker.order(len(boxes), generator, object_boxes=boxes)
    view = masker.view(order, ratio)
    assert view.visible.shape[1] == masker.num_visible(ratio)
    mask = torch.zeros(len(boxes), np.prod(grid), dtype=torch.bool)
    return mask.scatter(1, view.masked, True)


def still(*box, frames=4):
    """A box that stays where it is, ``(1, 1, T, 4)``."""
    return torch.tensor(box).expand(1, 1, frames, 4)


@pytest.mark.parametrize('ratio', [0.3, 0.5, 0.75, 0.8, 0.9])
@pytest.mark.parametrize('box', [(-9, -9, -5, -5), (0, 0, 1, 1), (3, 5, 12, 13), (0, 0, 16, 16)])
@pytest.mark.parametrize('tube_ratio', [None, 0.8])
def test_the_number_of_masked_patches_is_that_of_tubes(ratio, box, tube_ratio):
    assert draw(still(*box), ratio, tube_ratio=tube_ratio).sum() == 2 * int(16 * ratio)


@pytest.mark.parametrize('box', [(0, 0, 200, 120), (16, 0, 150, 150)])
def test_single_patches_are_exchanged_at_the_ratio_of_the_tubes(box):
    """As in SMILE's code: a random choice of those that the tubes mask, and of no others."""
    grid, clip, seeds = (8, 14, 14), (3, 16, 224, 224), 20
    boxes = still(*box, frames=16)
    objects = object_tokens(boxes, grid, clip[2:])[0].view(8, 196)
    exchanged = torch.zeros(8, 196)
    for seed in range(seeds):
        mask = draw(boxes, 0.8, seed, grid, clip, tube_ratio=0.8)[0].view(8, 196)
        place = torch.rand(196, generator=torch.Generator().manual_seed(seed)).argsort().argsort()
        tubes = (place >= 40).expand(8, 196)  # what they mask
        assert not mask[~tubes & ~objects].any()
        exchanged += ~mask & tubes & ~objects
    of_step = exchanged.sum(1)
    assert 0 < of_step.max() < 1.5 * of_step.min()  # no step is preferred
    assert exchanged.std(0).mean() > 0.5 * exchanged.mean(0).sqrt().mean()  # nor a tube


def test_without_objects_it_is_a_tube_mask():
    mask = draw(still(-99, -99, -80, -80).expand(5, -1, -1, -1)).unflatten(1, (2, 16))
    assert torch.equal(mask[:, 0], mask[:, 1])
    assert len(mask[:, 0].unique(dim=0)) > 1


def test_further_masks_of_a_ranking_are_tubes_too():
    """Beside objects: a place is visible in all time steps where no object is, or in none."""
    grid, clip, ratio = (4, 7, 7), (3, 8, 112, 112), 0.9
    masker, boxes = (
        ObjectTubeMasker(grid, clip),
        still(0, 0, 32, 32, frames=8).expand(3, -1, -1, -1),
    )
    generator = torch.Generator().manual_seed(0)
    order = masker.order(3, generator, object_boxes=boxes)
    for part in (masker.disjoint_orders(order, 3, ratio), order):
        visible = masker.view(part, ratio).visible
        shown = torch.zeros(len(part), 4 * 49).scatter(1, visible, 1.0).unflatten(1, (4, 49)).any(1)
        places = masker.num_visible(ratio) // 4
        assert shown.sum(1).max() <= places + 9 + 2  # of the objects, and begun tubes


def test_objects_are_masked_where_the_tubes_allow_it():
    boxes = still(16, 0, 27, 27, frames=16)
    grid, clip = (8, 14, 14), (3, 16, 224, 224)
    objects = object_tokens(boxes, grid, (224, 224))[0]
    masks = torch.cat([draw(boxes, 0.8, seed, grid, clip) for seed in range(20)])
    assert (~masks[:, objects]).sum(1).tolist() == [int(0.1 * objects.sum())] * 20
    assert masks.sum(1).tolist() == [1248] * 20


def test_wider_views_contain_the_students():
    masker = ObjectTubeMasker(GRID, CLIP)
    generator = torch.Generator().manual_seed(0)
    boxes = still(0, 0, 8, 8).expand(3, -1, -1, -1)
    order = masker.order(3, generator, object_boxes=boxes)
    narrow, wide = masker.view(order, 0.75).visible, masker.view(order, 0.5).visible
    assert all(set(n.tolist()) < set(w.tolist()) for n, w in zip(narrow, wide))


def test_a_ratio_that_masks_no_tube_is_refused():
    with pytest.raises(ValueError, match='no masked patch among the 16 of a group'):
        ObjectTubeMasker(GRID, CLIP, tube_ratio=0.05)


@pytest.mark.parametrize('kept', [-0.1, 1.5, None])
def test_a_share_that_makes_no_sense(kept):
    with pytest.raises(ValueError, match='kept is'):
        ObjectTubeMasker(GRID, CLIP, kept=kept)


def test_a_ratio_is_that_of_a_time_step():
    with pytest.raises(ValueError, match='no masked patch among the 16 of a group'):
        ObjectTubeMasker(GRID, CLIP).check_ratio(0.05)


# --- in a model ---


@pytest.fixture
def make(sizes, mmaction_scope):
    def make(masker='ObjectTubeMasker', **changes):
        cfg = dict(
            type='MaskedDistillation',
            backbone=dict(type='MaskedVisionTransformer', use_mean_pooling=False, **sizes.student),
            masker=dict(type=masker),
            decoder=dict(type='FeatureDecoder', embed_dims=28, num_heads=2, depth=1),
            teachers=dict(pixel=dict(type='PixelTeacher')),
            terms=[dict(type='PixelTerm')],
            mask_ratio=0.75,
        )
        return MODELS.build({**cfg, **changes})

    return make


def samples(*boxes):
    """Data samples with the boxes of their clips, as the data loader gives them."""
    return [ActionDataSample(metainfo=dict(object_boxes=np.asarray(own))) for own in boxes]


def test_the_boxes_of_each_clip_reach_the_masker(make, random_clips):
    model, clips = make(), random_clips()
    boxes = [[still(0, 0, 3, 3)[0].numpy()], [still(9, 9, 11, 11)[0].numpy()]]
    model.seed_masks(0)
    view = model.draw_views(clips, samples(*boxes))['student']
    direct = draw(torch.from_numpy(np.concatenate(boxes)), seed=0)
    assert torch.equal(view.masked, direct.nonzero()[:, 1].view(2, -1))
    model.seed_masks(0)
    assert model.loss(clips[:, None], samples(*boxes))['loss_pixel'].isfinite()


def test_several_clips_of_a_video(make, random_clips):
    model = make()
    boxes = np.stack([still(0, 0, 3, 3)[0].numpy(), still(9, 9, 11, 11)[0].numpy()])
    inputs = random_clips(4).unflatten(0, (2, 2))
    assert model.loss(inputs, samples(boxes, boxes))['loss_pixel'].isfinite()


def test_samples_without_boxes_are_named(make, random_clips):
    message = r'data samples \[1\] of the batch have no object_boxes, which ObjectTubeMasker reads'
    given = [*samples(still(0, 0, 3, 3).numpy()), ActionDataSample()]
    with pytest.raises(ValueError, match=message):
        make().loss(random_clips()[:, None], given)


def test_samples_with_other_numbers_of_objects_are_named(make, random_clips):
    one, two = np.zeros((1, 1, 4, 4), int), np.zeros((1, 2, 4, 4), int)
    with pytest.raises(ValueError, match=r'object_boxes.* has the shapes .*all must be alike'):
        make().loss(random_clips()[:, None], samples(one, two))


def test_boxes_for_other_clips_are_named(make, random_clips):
    two = np.zeros((2, 1, 4, 4), int)
    with pytest.raises(ValueError, match='in the data samples of 2 clips'):
        make().loss(random_clips()[:, None], samples(two, two))


@MODELS.register_module(force=True)
class NoticingMasker(Masker):
    """A masker from outside that reads two fields."""

    reads = ('speed', 'weight')

    def rank(self, batch, generator, speed, weight):
        self.seen = speed, weight
        return torch.rand(batch, *self.group_shape, generator=generator)


def test_a_masker_from_outside_reads_what_it_names(make, random_clips):
    model = make('NoticingMasker')
    given = [
        ActionDataSample(metainfo=dict(speed=[[float(i)]], weight=[i], other=0)) for i in range(2)
    ]
    model.loss(random_clips()[:, None], given)
    speed, weight = model.masker.seen
    assert speed.tolist() == [[0.0], [1.0]] and weight.tolist() == [0, 1]


def test_a_decoding_masker_reads_nothing(make):
    decode = dict(type='ObjectTubeMasker', mask_ratio=0.5)
    with pytest.raises(ValueError, match=r'views\.decode is a ObjectTubeMasker, which reads'):
        make(views=dict(decode=decode))
