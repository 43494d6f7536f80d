"""Parts from outside the package: what they get, and which of their mistakes are named."""

import pytest
import torch
from mmaction.registry import MODELS

from pmd_mmaction.functional import Phase, patchify
from pmd_mmaction.models import FeatureTeacher, Masker, PatchTerm, Term

N = 32


@pytest.fixture
def make(sizes, mmaction_scope, randomize):
    def make(term=None, teacher=None, **changes):
        cfg = dict(
            type='MaskedDistillation',
            backbone=dict(type='MaskedVisionTransformer', use_mean_pooling=False, **sizes.student),
            masker=dict(type='TubeMasker'),
            decoder=dict(type='FeatureDecoder', embed_dims=28, num_heads=2, depth=1),
            teachers=dict(
                vid=teacher or dict(type='VideoMAETeacher', **sizes.video_teacher),
                pixel=dict(type='PixelTeacher'),
            ),
            terms=[term or dict(type='BaseTerm')],
            mask_ratio=0.75,
        )
        torch.manual_seed(0)
        return randomize(MODELS.build({**cfg, **changes}))

    return make


class Told(Term):
    """Returns what it is told."""

    name = 'told'

    def __init__(self, losses, **term):
        super().__init__(**term)
        self.losses = losses

    def forward(self, step):
        return self.losses


class Layers(Term):
    """Asks for what it is told."""

    name = 'layers'

    def __init__(self, student=(), teacher=(), **term):
        super().__init__(**term)
        self.student_layers, self.wanted = tuple(student), teacher

    def teacher_groups(self, depth):
        return (self.wanted,)

    def forward(self, step):
        return {}


class Projected(Term):
    """One layer for each teacher that the recognizer names."""

    name = 'projected'

    def __init__(self, student_dims, student_depth, num_patches, teacher_dims, **term):
        super().__init__(**term)
        self.told = student_dims, student_depth, num_patches, dict(teacher_dims)


class Previous(PatchTerm):
    """Reads what the student of the previous phase predicts; there is no PSD beside it."""

    name = 'previous'
    needs_auxiliary = True

    def forward(self, step):
        if step.auxiliary is None:
            return {}
        pairs = ((step.decoded[t], step.auxiliary[t]) for t in self.teachers or step.decoded)
        return {f'loss_{self.name}': sum((new - old).square().mean() for new, old in pairs)}


class Pixels(FeatureTeacher):
    """Plain pixels as the one layer of a network; an option spoils it."""

    def __init__(self, token_grid, clip_size, spoil=None, last_norm=False):
        super().__init__(torch.nn.Identity(), last_norm=last_norm)
        self.depth, self.embed_dims = 2, 96
        self.token_grid, self.clip_size, self.spoil = token_grid, clip_size, spoil
        if spoil == 'width':
            del self.embed_dims

    def iter_layers(self, clips, layers=None, visible_index=None):
        patches = patchify(clips, 2, 4)
        if self.spoil == 'patches':
            patches = torch.cat([patches, patches], 1)
        if self.spoil == 'channels':
            patches = patches[..., 1:]
        yield patches
        if self.spoil == 'layers':
            yield patches


# --- terms ---


def test_a_term_is_told_the_sizes_of_its_own_teachers(make):
    alone = make(dict(type=Projected, teachers=['vid'])).terms['projected']
    assert alone.told == (24, 6, N, dict(vid=32))
    both = make(dict(type=Projected)).terms['projected']
    assert both.told == (24, 6, N, dict(vid=32, pixel=96))


def test_clfa_has_no_layers_for_the_teachers_of_others(make, random_clips):
    model = make(terms=[dict(type='BaseTerm'), dict(type='CLFATerm', teachers=['vid'])])
    sum(model.loss(random_clips()[:, None], []).values()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_one_teacher_may_be_named_without_a_list(make, random_clips):
    losses = make(dict(type='BaseTerm', teachers='vid')).loss(random_clips()[:, None], [])
    assert list(losses) == ['loss_base_vid']


@pytest.mark.parametrize('phase', [0, 1])
def test_psd_learns_from_the_teachers_it_names(make, random_clips, phase):
    model = make(terms=[dict(type='BaseTerm'), dict(type='PSDTerm', teachers=['pixel'])])
    if phase:
        model.promote_student()
    losses = model.loss(random_clips()[:, None], [])
    assert set(losses) == {'loss_base_vid', 'loss_base_pixel', 'loss_pg_pixel'}


def test_a_term_without_psd_may_read_the_previous_student(make, random_clips, randomize):
    model, clips = make(dict(type=Previous)), random_clips()[:, None]
    assert model.needs_auxiliary_teacher
    assert model.loss(clips, []) == {}
    model.promote_student()
    randomize(model.decoders, 1, std=0.1)
    model.set_phase(Phase(1, 0.75, 1, 2), previous_ratio=0.5)
    assert model.loss(clips, [])['loss_previous'] > 0


@pytest.mark.parametrize(
    'losses, message',
    [
        (dict(align=torch.tensor(1.0)), "Told returns 'align': call it loss_align"),
        (dict(my_loss=torch.tensor(1.0)), "Told returns 'my_loss'"),
        (dict(loss_x=torch.ones(2, 24)), r'loss_x of shape \(2, 24\); it must be a scalar'),
        (dict(loss_x=1.0), "loss_x of <class 'float'>; it must be a scalar"),
        (dict(loss_base_vid=torch.tensor(1.0)), 'two terms return loss_base_vid: build the key'),
    ],
)
def test_losses_that_would_not_be_trained_on_are_refused(make, random_clips, losses, message):
    model = make(terms=[dict(type='BaseTerm'), dict(type=Told, losses=losses)])
    with pytest.raises(ValueError, match=message):
        model.loss(random_clips()[:, None], [])


@pytest.mark.parametrize(
    'layers, message',
    [
        (dict(student=(2, 6)), r'Layers reads layers \[6\] of the student; .* are 0 to 5'),
        (dict(student=(-1,)), r'Layers reads layers \[-1\] of the student'),
        (dict(teacher=range(1, 4)), r'layers \[3\] of the teacher vid; its layers are 0 to 2'),
        (dict(teacher=[-1]), r'layers \[-1\] of the teacher vid'),
        (dict(teacher=[0], teachers=['pixel']), r'\[0\] of the teacher pixel; .* are none'),
    ],
)
def test_layers_that_are_not_there_are_named(make, layers, message):
    with pytest.raises(ValueError, match=message):
        make(dict(type=Layers, **dict(dict(teachers=['vid'], teacher=[0]), **layers)))


class Nameless(Term):
    pass


@pytest.mark.parametrize(
    'term, message',
    [
        (dict(type=Nameless), 'Nameless: it has no name for the log'),
        (dict(type='BaseTerm', teachers=[]), 'BaseTerm: teachers is empty; name one'),
        (dict(type='BaseTerm', teachers='x'), r"BaseTerm learns from \['x'\]; the teachers are"),
        (dict(type='CLFATerm', teachers=['x']), r"CLFATerm learns from \['x'\]; the teachers are"),
        (dict(type='BaseTerm', teachers=3), 'BaseTerm: teachers is 3'),
    ],
)
def test_terms_without_a_name_or_a_teacher_are_refused(make, term, message):
    with pytest.raises(ValueError, match=message):
        make(term)


def test_a_term_cannot_read_patches_that_a_teacher_does_not_see(make, sizes):
    narrow = dict(type='VideoMAETeacher', view='wide', **sizes.video_teacher)
    term = dict(type='CLFATerm', teachers=['vid'], align_tokens='masked')
    with pytest.raises(ValueError, match=r"CLFATerm looks at all masked .* only the view 'wide'"):
        make(term, narrow, views=dict(wide=dict(mask_ratio=0.5)))


# --- teachers ---


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(spoil='width'), r"teachers\.vid is a Pixels, which does not set \['embed_dims'\]"),
        (dict(spoil='patches'), r'Pixels.iter_layers yields .*\(2, 64, 96\).* 32 patches, 96'),
        (dict(spoil='channels'), r'Pixels.iter_layers yields tokens of \(2, 32, 95\)'),
        (dict(spoil='layers'), r'was asked for layers \[1\] and yielded 2'),
    ],
)
def test_a_teacher_that_breaks_its_word_is_named(make, random_clips, options, message):
    with pytest.raises(ValueError, match=message):
        make(teacher=dict(type=Pixels, **options)).loss(random_clips()[:, None], [])


def test_a_teacher_that_leaves_layers_out_is_named(make, random_clips):
    model = make(dict(type=Layers, teacher=range(2), teachers=['vid']), dict(type=Pixels))
    with pytest.raises(ValueError, match=r'was asked for layers \[0, 1\] and yielded 1'):
        model.loss(random_clips()[:, None], [])


# --- methods that a part forgot ---


@pytest.mark.parametrize(
    'parts, message',
    [
        (dict(term=dict(type=Projected)), r'Projected has no forward\(step\)'),
        (dict(teacher=dict(type=Pixels, last_norm=True)), 'Pixels has no final_norm.*last_norm=F'),
        (dict(teacher=dict(type=Pixels, spoil='no iter_layers')), 'has no iter_layers'),
        (dict(masker=dict(type=Masker)), r'Masker has no rank\(batch, generator\)'),
    ],
)
def test_a_missing_method_is_named(make, random_clips, monkeypatch, parts, message):
    if 'iter_layers' in message:
        monkeypatch.delattr(Pixels, 'iter_layers')
    with pytest.raises(NotImplementedError, match=message):
        make(**parts).loss(random_clips()[:, None], [])


def test_a_lambda_is_given_for_every_teacher(make):
    with pytest.raises(TypeError, match=r"BaseTerm.*loss_weight.*lacks 'pixel'"):
        make(dict(type='BaseTerm', loss_weight=dict(vid=1.0)))
