"""One step of SMILE's second stage against numbers of its own code.

The file holds random weights, synthetic clips and what SMILE's training loop made of them in
float32 on the CPU: data and figures only.
"""

import pytest
import torch

from pmd_mmaction.convert import convert
from pmd_mmaction.functional import split_mask
from pmd_mmaction.models.maskers import View
from tests.models.recognizers.golden import Golden, check_gradients, check_groups, close

STAGE = 'smile/vit-b_k400_pretrain_600e_stage2.py'
TERM = 'loss_base_img'


@pytest.fixture(scope='module')
def golden():
    return Golden('smile')


@pytest.fixture
def model(golden, tmp_path, mmaction_scope):
    """The config's model in the sizes of the file, with its weights."""
    teacher = convert(golden.part('teacher_image.'), 'clip', 'timm').conversion.state_dict
    torch.save(teacher, tmp_path / 'clip.pth')
    size = golden.size
    frames = dict(num_frames=size['frames'], tubelet_size=size['tubelet'])
    width, depth, heads = size['t']
    sizes = dict(embed_dim=width, depth=depth, num_heads=heads, mlp_ratio=size['mlp_ratio'])

    def change(cfg):
        cfg.backbone.update(frames)
        cfg.teachers.img.update(
            model_name='vit_base_patch16_clip_quickgelu_224',
            checkpoint=str(tmp_path / 'clip.pth'),
            model_kwargs=dict(img_size=size['img'], patch_size=size['patch'], **sizes),
            **frames,
        )
        cfg.mask_ratio = size['ratio']

    return golden.build(STAGE, change)


def view_of(*masks):
    """The view of some masks of each clip."""
    mask = torch.stack(masks, 1).flatten(0, 1)
    return View(*split_mask(mask, int((~mask[0]).sum())))


@pytest.fixture
def views(golden):
    """The recorded masks, two of each clip."""
    return dict(student=view_of(golden['mask'], golden['mask2']))


def test_positions_are_those_of_smile(golden, model):
    close(model.backbone.pos_embed, golden['pos.encoder'])
    close(model.decoders['img'].positions, golden['pos.decoder'])


def test_targets_features_and_predictions(golden, model, views):
    teacher = model.teachers['img']
    close(teacher(golden['clip']).features, golden['inter.target_normalised'])
    teacher.target_norm = 'none'
    close(teacher(golden['clip']).features, golden['inter.teacher_tokens'])
    student = views['student']
    layers = tuple(range(model.backbone.depth))
    encoded = model.backbone.encode(golden['clip'], student.visible, layers)
    predicted = model.decoders['img'](encoded.tokens, *student)
    for k, mask in enumerate(('mask1', 'mask2')):
        for index, layer in enumerate(encoded.layers):
            close(layer[k::2], golden[f'inter.student_block{index}_{mask}'])
        close(encoded.tokens[k::2], golden[f'inter.student_encoder_normed_{mask}'])
        close(predicted[k::2], golden[f'inter.pred_{mask}'])


def test_losses_and_gradients(golden, model, views):
    losses, *_ = model.distill(golden['clip'], views)
    assert set(losses) == {TERM}
    close(losses[TERM], golden['loss.total'])
    losses[TERM].backward()
    check_gradients(golden, model)


@pytest.mark.parametrize('mask, loss', [('mask', 'loss.mask1'), ('mask2', 'loss.mask2')])
def test_each_mask_alone(golden, model, mask, loss):
    losses, *_ = model.distill(golden['clip'], dict(student=view_of(golden[mask])))
    close(losses[TERM], golden[loss])


def test_other_options(golden, model, views):
    single = dict(student=view_of(golden['mask']))
    close(model.distill(golden['clip'], single)[0][TERM], golden['loss.alt_single_mask'])
    model.teachers['img'].target_norm = 'none'
    close(model.distill(golden['clip'], views)[0][TERM], golden['loss.alt_unnormalised_target'])


def test_the_second_mask_is_that_of_another_clip(golden, model):
    """The recorded permutation, and the masks that it hands round, drawn as SMILE draws it."""
    mask, steps = golden['mask'], golden.size['grid'][0]
    order = mask.unflatten(1, (steps, -1)).int().argsort(dim=-1, stable=True)  # visible first
    generator = torch.Generator().manual_seed(golden.size['pseed'])
    orders = model.masker.permuted_orders(order, 2, generator)
    view = model.masker.view(orders, golden.size['ratio'])
    assert torch.equal(order[golden['permutation']], orders[1::2])
    assert all(torch.equal(*pair) for pair in zip(view, view_of(mask, golden['mask2'])))


def test_one_teacher_pass_for_the_two_masks(golden, model):
    seen = []
    model.teachers['img'].register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    model.loss(golden['clip'][:, None], [])
    assert seen == [len(golden['clip'])]


def test_weight_decay(golden, model):
    check_groups(golden, model, STAGE)
