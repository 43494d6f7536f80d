"""CLFATerm against the double loop over layers."""

import pytest
import torch

from pmd_mmaction.functional import GroupStatistics
from pmd_mmaction.functional.positions import position_table
from pmd_mmaction.models import CLFATerm
from pmd_mmaction.models.maskers import View
from pmd_mmaction.models.terms import Step

TEACHERS = dict(img=7, vid=9)  # widths
DEPTHS = dict(img=3, vid=9)
SIZES = dict(student_dims=8, student_depth=6, token_grid=(2, 1, 5), teacher_dims=TEACHERS)
VISIBLE = torch.tensor([[0, 3, 9], [1, 2, 5]])
MASKED = torch.tensor([[1, 2, 4, 8], [0, 3, 7, 9]])
VIEWS = dict(student=View(VISIBLE, MASKED))


@pytest.fixture
def make(randomize):
    def make(**options):
        return randomize(CLFATerm(**{**SIZES, **options}))

    return make


def random_layers(depth, tokens, dims, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, tokens, dims, generator=generator) + i for i in range(depth)]


def stored(layers):
    stack = torch.stack(layers)
    return GroupStatistics(stack.mean(0), stack.var(0, unbiased=False).mean(-1))


def double_loop(fcs, students, teachers):
    """d^{H->M}, channels and tokens averaged."""
    total = 0
    for fc, z in zip(fcs, students):
        for t in teachers:
            projected = z.double() @ fc.weight.double().T + fc.bias.double()
            total = total + (projected - t.double()).square().mean()
    return total / (len(students) * len(teachers))


def align(term, layers, groups):
    """Teacher name to the loss of a step with these layers."""
    step = Step(
        views=VIEWS,
        targets={},
        groups=dict(al=groups),
        layers=dict(enumerate(layers)),
        decoded={},
    )
    return {name.removeprefix('loss_al_'): loss for name, loss in term(step).items()}


@pytest.mark.parametrize('align_tokens', ['visible', 'masked'])
@pytest.mark.parametrize(
    'reduction, norm', [('mean', 'none'), ('sum', 'none'), ('mean', 'layer_norm')]
)
def test_loss_and_gradients_equal_the_double_loop(make, align_tokens, reduction, norm):
    term = make(align_tokens=align_tokens, channel_reduction=reduction, student_norm=norm)
    count = term.token_index(VIEWS).shape[1]
    # The student has layers 0-5: shallow is 0-1, medium is 2-3.
    assert term.student_layers == (0, 1, 2, 3)
    layers = random_layers(4, 3, 8, seed=0)
    completed = layers
    if align_tokens == 'masked':
        completed = [term.completion(z, *VIEWS['student']) for z in layers]
    if norm == 'layer_norm':
        completed = [
            (z - z.mean(-1, keepdim=True)) / (z.var(-1, unbiased=False, keepdim=True) + 1e-6).sqrt()
            for z in completed
        ]
    groups, expected = {}, {}
    for seed, (name, dims) in enumerate(TEACHERS.items()):
        teacher = random_layers(DEPTHS[name], count, dims, seed + 1)
        third = DEPTHS[name] // 3
        medium, deep = teacher[third : 2 * third], teacher[2 * third :]
        groups[name] = (stored(medium), stored(deep))
        fcs = term.projections[name]
        expected[name] = double_loop(fcs[:2], completed[:2], medium)
        expected[name] += double_loop(fcs[2:], completed[2:], deep)
        if reduction == 'sum':
            expected[name] *= dims
    losses = align(term, layers, groups)
    assert list(losses) == list(TEACHERS)
    for name in TEACHERS:
        assert losses[name].item() == pytest.approx(expected[name].item(), rel=1e-5)
    parameters = list(term.parameters())
    slopes = torch.autograd.grad(sum(losses.values()), parameters)
    expected_slopes = torch.autograd.grad(sum(expected.values()), parameters)
    assert all(slope.any() for slope in slopes)
    torch.testing.assert_close(slopes, expected_slopes, rtol=1e-3, atol=1e-4)


def test_the_deep_layers_of_the_student_may_be_aligned_too(make):
    term, letter = make(align_deepest=True), make()
    assert term.student_layers == (0, 1, 2, 3, 4, 5)
    layers = random_layers(6, 3, 8, seed=0)
    teachers = {name: random_layers(6, 3, dims, seed=1) for name, dims in TEACHERS.items()}
    groups = {name: (stored(t[2:4]), stored(t[4:])) for name, t in teachers.items()}
    for name, fcs in letter.projections.items():
        fcs.load_state_dict(term.projections[name][:4].state_dict())
    losses, without = align(term, layers, groups), align(letter, layers[:4], groups)
    for name, t in teachers.items():
        expected = double_loop(term.projections[name][4:], layers[4:], t[4:])
        assert (losses[name] - without[name]).item() == pytest.approx(expected.item(), rel=1e-5)


def test_sizes_of_groups_may_be_given(make):
    term = make(student_depth=7, group_sizes=[(2, 1, 1), (3, 2, 2)])
    assert term.student_layers == (0, 1, 2, 3, 4)
    assert term.teacher_groups(4) == (range(2, 3), range(3, 4))
    assert term.teacher_groups(6) == (range(2, 4), range(4, 6))
    layers = random_layers(5, 3, 8, seed=0)
    teachers = {name: random_layers(4, 3, dims, seed=1) for name, dims in TEACHERS.items()}
    groups = {name: (stored(t[2:3]), stored(t[3:4])) for name, t in teachers.items()}
    losses = align(term, layers, groups)
    for name, t in teachers.items():
        fcs = term.projections[name]
        expected = double_loop(fcs[:3], layers[:3], t[2:3])
        expected = expected + double_loop(fcs[3:], layers[3:], t[3:4])
        torch.testing.assert_close(losses[name].double(), expected)


def test_the_teacher_gives_its_medium_and_deep_layers(make):
    assert make().teacher_groups(12) == (range(4, 8), range(8, 12))
    assert make().teacher_groups(24) == (range(8, 16), range(16, 24))


def test_every_layer_and_teacher_has_its_own_fc(make):
    term = make()
    weights = [fc.weight for fcs in term.projections.values() for fc in fcs]
    assert len({id(w) for w in weights}) == 8
    assert [tuple(w.shape) for w in weights] == [(7, 8)] * 4 + [(9, 8)] * 4


def test_alignment_happens_at_the_chosen_tokens(make):
    assert make().token_index(VIEWS) is VISIBLE
    assert make(align_tokens='masked').token_index(VIEWS) is MASKED


def test_init_weights_reaches_the_projections():
    term = CLFATerm(**SIZES, align_tokens='masked')
    term.init_weights()
    fc = term.projections['img'][0]
    bound = (6 / (8 + 7)) ** 0.5  # Xavier, uniform
    assert 0.9 * bound < fc.weight.abs().max() <= bound
    assert fc.bias.abs().max() == 0
    assert term.completion.query_token.any()


@pytest.mark.parametrize('std', [0, 0.02])
def test_the_projections_may_start_small(std):
    term = CLFATerm(**{**SIZES, 'student_dims': 600}, fc_std=std, align_tokens='masked')
    term.init_weights()
    for fcs in term.projections.values():
        for fc in fcs:
            assert fc.weight.std().item() == pytest.approx(std, rel=0.05)
            assert not fc.bias.any()
    assert term.completion.key_value.weight.std() > 0.02


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(student_depth=8), '8 layers'),
        (dict(align_tokens='all'), "align_tokens is 'all'"),
        (dict(student_norm='batch'), "student_norm is 'batch'"),
        (dict(fc_std=-0.1), 'fc_std is -0.1'),
        (dict(channel_reduction='max'), "channel_reduction is 'max'"),
        (dict(loss_weight=-1), 'CLFATerm: loss_weight is -1'),
    ],
)
def test_impossible_options_are_named(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize('depth', [4, 8])
def test_a_teacher_without_thirds_is_refused(make, depth):
    with pytest.raises(ValueError, match=f'{depth} layers'):
        make().teacher_groups(depth)


@pytest.mark.parametrize('position', ['sinusoid_1d', 'sincos_3d'])
def test_places_are_completed_with_the_students_encoding(make_recognizer, sizes, position):
    backbone = dict(type='MaskedVisionTransformer', use_mean_pooling=False, position=position)
    clfa = dict(type='CLFATerm', align_tokens='masked')
    model = make_recognizer(backbone=backbone | sizes.student, clfa=clfa)
    expected = position_table(position, model.backbone.token_grid, model.backbone.embed_dims)
    assert torch.equal(model.terms['al'].completion.positions, expected)
