"""One step of AMD against numbers of its own code (golden.py)."""

import pytest
import torch

from pmd_mmaction.convert.videomae import read_videomae
from pmd_mmaction.models.maskers import Views, is_among
from pmd_mmaction.models.maskers.tube import TubeMasker
from tests.models.recognizers.golden import Golden, check_gradients, check_groups, close

CONFIG = 'amd/vit-b_k400_pretrain.py'


@pytest.fixture(scope='module')
def golden():
    return Golden('amd')


@pytest.fixture
def make(golden, mmaction_scope, tmp_path):
    """Builds the config's model in the sizes of the file; options are those of the term."""
    teacher = {k: v.float() for k, v in golden.part('teacher_video.').items()}
    torch.save(dict(state_dict=read_videomae(teacher).state_dict), tmp_path / 'teacher.pth')
    size = golden.size
    depth = len({key.split('.')[1] for key in teacher if key.startswith('blocks.')})

    def build(train_mask_token=False, **options):
        def change(cfg):
            cfg.teachers.vid.update(
                golden.encoder([size['t'][0], depth, size['t'][2]]),
                checkpoint=str(tmp_path / 'teacher.pth'),
            )
            cfg.views.teacher.mask_ratio = size['t_ratio']
            pairs = [(s - 1, t - 1) for s, t in zip(size['s_layers'], size['t_layers'])]
            generator = dict(
                depth=size['gen_depth'],
                num_heads=size['generator_heads'],
                mlp_ratio=size['mlp_ratio'],
                train_mask_token=train_mask_token,
            )
            cfg.terms[1].update(pairs=pairs, generator=generator, **options)

        return golden.build(CONFIG, change)

    return build


@pytest.fixture
def views(golden):
    """The recorded masks."""
    return dict(student=golden.view(), teacher=golden.view('mask_teacher'))


def test_positions(golden, make):
    model = make()
    close(model.backbone.pos_embed, golden['pos.student_encoder'])
    close(model.decoders['pixel'].positions, golden['pos.decoder'])
    close(model.teachers['vid'].network.pos_embed, golden['pos.teacher'])
    for generator in model.terms['align'].generators['vid']:
        close(generator.positions, golden['pos.generator'])


def test_features_and_predictions(golden, make, views):
    model, clip, (visible, masked) = make(), golden['clip'], views['student']
    layers = golden.size['s_layers']
    encoded = model.backbone.encode(clip, visible, [layer - 1 for layer in layers])
    term = model.terms['align']
    beyond = golden['mask_diff'].nonzero()[:, 1].view(len(clip), -1)
    for index, (layer, z) in enumerate(zip(sorted(layers), encoded.layers)):
        close(z, golden[f'inter.student_block{layer}_out'])
        projected = term.projections['vid'][index](z)
        close(projected, golden[f'inter.student_projected_pair{index}'])
        made = term.generators['vid'][index](projected, visible, beyond)
        close(made, golden[f'inter.student_generated_pair{index}'])
    close(encoded.tokens, golden['inter.student_encoder_normed'])
    close(
        model.decoders['pixel'](encoded.tokens, visible, masked), golden.rows('inter.pred_pixels')
    )
    target = views['student'].at_masked(model.teachers['pixel'](clip).features)
    close(target, golden.rows('inter.target_pixels_normalised_masked'))


def test_the_teacher_sees_its_view_only(golden, make, views):
    seen = views['teacher'].visible
    known = is_among(seen, views['student'].visible)
    teacher = make().teachers['vid']
    for index, tokens in enumerate(teacher.iter_layers(golden['clip'], None, seen)):
        key = f'inter.teacher_layer{index + 1}_out'
        if key in golden.tensors:  # the student's patches first, then the others
            parts = [tokens[mask].view(len(seen), -1, tokens.shape[-1]) for mask in (known, ~known)]
            close(torch.cat(parts, 1), golden[key])


def test_losses_and_gradients(golden, make, views):
    model = make()
    losses, *_ = model.distill(golden['clip'], views)
    names = dict(
        loss_pixel='pixels', loss_align_direct_vid='direct', loss_align_generation_vid='generation'
    )
    assert losses.keys() == names.keys()
    for ours, theirs in names.items():
        close(losses[ours], golden[f'loss.{theirs}'])
    total = sum(losses.values())
    close(total, golden['loss.total'])
    total.backward()
    check_gradients(golden, model)


def test_mask_tokens_that_are_trained(golden, make, views):
    """Their gradients, which the code computes and does not use."""
    model = make(train_mask_token=True)
    losses, *_ = model.distill(golden['clip'], views)
    sum(losses.values()).backward()
    for index, generator in enumerate(model.terms['align'].generators['vid']):
        expected = golden[f'grad_unsaved.generator_mask_tokens.{index}']
        close(generator.mask_token.grad, expected, 1e-4)


def test_smooth_l1(golden, make, views):
    losses, *_ = make(distance='smooth_l1').distill(golden['clip'], views)
    for name in ('direct', 'generation'):
        close(losses[f'loss_align_{name}_vid'], golden[f'loss.alt_sml1_{name}'])


def test_parameter_groups(golden, make):
    check_groups(golden, make(), CONFIG)


def test_drawn_masks_are_like_the_recorded_ones(golden):
    """As many patches per time step, tubes, and nested."""
    masks = golden.part('extra_mask.')
    for key in (key for key in masks if key.startswith('student_')):
        sides, seed = key.removeprefix('student_').split('_')
        grid = tuple(int(side) for side in sides.split('x'))
        recorded = {
            name: masks[f'{name}_{sides}_{seed}'] for name in ('student', 'teacher', 'diff')
        }
        views = Views(TubeMasker(grid), wider=dict(teacher=0.75))
        drawn = views.draw(2, 0.9, torch.Generator().manual_seed(0))
        for name in ('student', 'teacher'):
            mask = torch.zeros(2, recorded[name].numel(), dtype=torch.bool)
            tubes = mask.scatter(1, drawn[name].masked, True).view(2, grid[0], -1)
            assert (tubes == tubes[:, :1]).all()
            per_step = recorded[name].view(grid[0], -1).sum(1)
            assert tubes.sum(2).tolist() == [per_step.tolist()] * 2
        assert is_among(drawn['student'].visible, drawn['teacher'].visible).all()
        beyond = drawn['teacher'].visible.shape[1] - drawn['student'].visible.shape[1]
        assert beyond == recorded['diff'].sum()
