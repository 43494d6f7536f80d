"""Any number of teachers, terms, views and masks; nothing is computed that no term needs."""

import pytest
import torch
from mmaction.registry import MODELS

from pmd_mmaction.functional import Phase
from pmd_mmaction.models.maskers import View
from pmd_mmaction.models.recognizers.diagnosis import diagnose
from pmd_mmaction.models.terms import History, Term

LAYERS = (1, 4)


@MODELS.register_module(force=True)
class DirectTerm(Term):
    """Student layers against teacher layers at the student's visible patches."""

    name = 'direct'
    student_layers = LAYERS

    def teacher_groups(self, depth):
        return (range(1, 2), range(depth - 1, depth))

    def token_index(self, views):
        return views['student'].visible

    def forward(self, step):
        losses = {}
        for teacher, groups in step.groups[self.name].items():
            pairs = zip((step.layers[i] for i in LAYERS), groups)
            error = sum((z[..., :20] - g.mean[..., :20]).square().mean() for z, g in pairs)
            losses[f'loss_{self.name}_{teacher}'] = self.loss_weight * error
        return losses


@pytest.fixture
def make(sizes, mmaction_scope, randomize):
    def make(**changes):
        cfg = dict(
            type='MaskedDistillation',
            backbone=dict(type='MaskedVisionTransformer', use_mean_pooling=False, **sizes.student),
            masker=dict(type='TubeMasker'),
            decoder=dict(type='FeatureDecoder', embed_dims=28, num_heads=2, depth=1),
            teachers=dict(
                a=dict(type='VideoMAETeacher', **sizes.video_teacher),
                b=dict(type='TimmImageTeacher', **sizes.image_teacher),
                c=dict(type='VideoMAETeacher', **sizes.video_teacher),
            ),
            terms=[dict(type='BaseTerm')],
            mask_ratio=0.75,
        )
        torch.manual_seed(0)
        model = MODELS.build({**cfg, **changes})
        for seed, teacher in enumerate(model.teachers.values()):
            randomize(teacher.network, seed, std=0.2)
        return randomize(model)

    return make


def counted(model):
    """Names of the teachers that are run from now on."""
    ran = []
    for name, teacher in model.teachers.items():
        teacher.register_forward_pre_hook(lambda *_, name=name: ran.append(name))
    return ran


def test_each_teacher_and_term_has_its_loss(make, random_clips):
    terms = [
        dict(type='BaseTerm', teachers=['a', 'b']),
        dict(type='BaseTerm', name='smooth', distance='smooth_l1', teachers=['a']),
        dict(type='CLFATerm', teachers=['c']),
    ]
    model = make(terms=terms)
    ran = counted(model)
    losses = model.loss(random_clips()[:, None], [])
    assert set(losses) == {'loss_base_a', 'loss_base_b', 'loss_smooth_a', 'loss_al_c'}
    assert ran == ['a', 'b', 'c']
    assert list(model.decoders) == ['a', 'b']


def test_teachers_that_no_term_needs_are_not_run(make, random_clips):
    model = make(terms=[dict(type='BaseTerm', teachers=['b'])])
    ran = counted(model)
    model.loss(random_clips()[:, None], [])
    assert ran == ['b'] and list(model.decoders) == ['b']


def test_a_teacher_of_which_a_term_reads_nothing_is_not_run(make, random_clips, monkeypatch):
    monkeypatch.setattr(DirectTerm, 'reads_targets', False)
    monkeypatch.setattr(DirectTerm, 'teacher_groups', lambda self, depth: ())
    model = make(terms=[dict(type='BaseTerm', teachers=['b']), dict(type='DirectTerm')])
    ran = counted(model)
    clips = random_clips()
    targets, groups = model.teach(clips, model.draw_views(clips))
    assert ran == list(targets) == ['b'] and groups['direct'] == dict(b=())


@pytest.mark.parametrize('reads_targets', [False, True])
def test_a_teacher_runs_no_layer_beyond_those_that_are_read(
    make, random_clips, monkeypatch, reads_targets
):
    monkeypatch.setattr(DirectTerm, 'reads_targets', reads_targets)
    monkeypatch.setattr(DirectTerm, 'teacher_groups', lambda self, depth: (range(1, 2),) * 2)
    model, ran = make(terms=[dict(type='DirectTerm', teachers=['a'])]), []
    for index, block in enumerate(model.teachers['a'].network.blocks):
        block.register_forward_hook(lambda *_, index=index: ran.append(index))
    clips = random_clips()
    targets, groups = model.teach(clips, model.draw_views(clips))
    depth = model.teachers['a'].depth
    assert ran == list(range(depth if reads_targets else 2)) and depth > 2
    assert list(targets) == ['a'] * reads_targets and len(groups['direct']['a']) == 2


def test_layers_that_no_term_needs_are_not_kept(make, random_clips, monkeypatch):
    seen = []

    def note(self, step):
        seen.append((list(step.layers), step.groups))
        return {}

    for terms, expected in (([], []), ([dict(type='DirectTerm')], list(LAYERS))):
        model = make(terms=[dict(type='BaseTerm'), *terms])
        monkeypatch.setattr(type(model.terms['base']), 'forward', note)
        model.loss(random_clips()[:, None], [])
        layers, groups = seen.pop()
        assert layers == expected
        assert all(stats == () for stats in groups['base'].values())


def test_a_term_from_outside_reads_layers_of_student_and_teachers(make, random_clips):
    model, clips = make(terms=[dict(type='DirectTerm', loss_weight=2.0)]), random_clips()
    assert not model.decoders
    model.seed_masks(0)
    losses = model.loss(clips[:, None], [])
    model.seed_masks(0)
    visible = model.draw_views(clips)['student'].visible
    student = model.backbone.encode(clips, visible, LAYERS).layers
    layers = list(model.teachers['a'].iter_layers(clips))
    expected = 0
    for z, t in zip(student, (layers[1], layers[-1])):
        t = torch.nn.functional.layer_norm(t, t.shape[-1:])
        t = torch.stack([row[index] for row, index in zip(t, visible)])
        expected += 2 * (z[..., :20] - t[..., :20]).square().mean()
    torch.testing.assert_close(losses['loss_direct_a'], expected, rtol=1e-4, atol=1e-4)


# --- views ---


def test_a_teacher_may_see_a_wider_view_only(make, random_clips, sizes):
    narrow = dict(type='VideoMAETeacher', view='teacher', **sizes.video_teacher)
    model = make(
        teachers=dict(a=narrow),
        terms=[dict(type='DirectTerm')],
        views=dict(teacher=dict(mask_ratio=0.5)),
    )
    clips, seen = random_clips(), []
    network = model.teachers['a'].network
    network.blocks[0].register_forward_pre_hook(lambda m, x: seen.append(x[0].shape[1]))
    model.seed_masks(0)
    losses = model.loss(clips[:, None], [])
    assert seen == [16]  # of 32
    model.seed_masks(0)
    views = model.draw_views(clips)
    visible, wide = views['student'].visible, views['teacher'].visible
    assert all(set(v.tolist()) < set(w.tolist()) for v, w in zip(visible, wide))
    student = model.backbone.encode(clips, visible, LAYERS).layers
    layers = list(network.iter_layers(clips, wide))
    expected = 0
    for z, t in zip(student, (layers[1], layers[-1])):
        t = torch.nn.functional.layer_norm(t, t.shape[-1:])
        for b in range(2):
            rows = [wide[b].tolist().index(p) for p in visible[b].tolist()]
            expected += (z[b, :, :20] - t[b, rows, :20]).square().mean() / 2
    torch.testing.assert_close(losses['loss_direct_a'], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('decode', ['RunningCellMasker', 'CubeMasker'])
def test_a_part_of_the_masked_patches_is_decoded(make, random_clips, decode):
    model = make(views=dict(decode=dict(type=decode, mask_ratio=0.5)))
    clips = random_clips()
    model.seed_masks(0)
    views = model.draw_views(clips)
    model.seed_masks(0)
    losses = model.loss(clips[:, None], [])
    whole = make()
    whole.load_state_dict(model.state_dict())
    whole.seed_masks(0)
    masked = whole.draw_views(clips)['student'].masked
    part = views['student'].masked
    assert part.shape == (2, 12) and (part.diff(dim=1) > 0).all()
    assert all(set(p.tolist()) < set(m.tolist()) for p, m in zip(part, masked))
    again, _, _ = whole.distill(clips, dict(student=View(views['student'].visible, part)))
    torch.testing.assert_close(again, losses)


WHOLE_CLIP = dict(decode=dict(type='RunningCellMasker', mask_ratio=0.5, whole_clip=True))


def test_a_share_of_the_whole_clip_is_left_out(make, random_clips):
    """A quarter of 32 patches is decoded: those that this masker would leave visible."""
    decode = dict(type='CubeMasker', mask_ratio=0.75, whole_clip=True)
    view = make(views=dict(decode=decode)).draw_views(random_clips())['student']
    assert view.masked.shape == (2, 8)


def test_patches_decoded_of_the_whole_clip_count_where_they_are_masked(make, random_clips):
    model = make(views=WHOLE_CLIP, terms=[dict(type='BaseTerm', teachers=['a'])], num_masks=2)
    clips = random_clips()
    model.seed_masks(0)
    view = model.draw_views(clips)['student']
    model.seed_masks(0)
    loss = model.loss(clips[:, None], [])['loss_base_a']
    assert view.masked.shape == (4, 16)
    target = model.teachers['a'](clips).features
    tokens = model.backbone.encode(clips, view.visible).tokens
    decoded = model.decoders['a'](tokens, *view)
    errors = [
        (decoded[row, place] - target[row // 2, patch]).square().mean()
        for row in range(4)
        for place, patch in enumerate(view.masked[row].tolist())
        if patch not in view.visible[row].tolist()
    ]
    assert len(errors) < 64
    torch.testing.assert_close(loss, torch.stack(errors).mean(), rtol=1e-4, atol=1e-5)


def test_difficulties_are_those_of_masked_patches(make):
    with pytest.raises(ValueError, match='whole_clip=True decodes visible patches'):
        make(views=WHOLE_CLIP, terms=[dict(type='DARETerm')])


# --- several masks of a clip ---

ALL = [dict(type=f'{name}Term') for name in ('Base', 'PSD', 'DARE', 'CLFA')]


@pytest.mark.parametrize('aux_mask', ['same', 'nested'])
def test_masks_of_a_clip_equal_passes_of_their_own(make, random_clips, randomize, aux_mask):
    masks, clips = 2, random_clips(3)
    terms = [*ALL[:1], dict(type='PSDTerm', aux_mask=aux_mask), *ALL[2:]]
    model = make(terms=terms, num_masks=masks)
    model.promote_student()
    randomize(model.backbone, 5, std=0.1)
    model.set_phase(Phase(1, 0.75, 1, 2), previous_ratio=0.5)
    history = History(*torch.rand(2, 3, 3, 32))
    model.seed_masks(0)
    views = model.draw_views(clips)
    assert views['student'].visible.shape == (6, 8)
    ran = counted(model)
    losses, smoothed, _ = model.distill(clips, views, history)
    assert ran == ['a', 'b', 'c']  # one pass for all masks
    sum(losses.values()).backward()
    together = [p.grad.clone() for p in model.parameters()]

    model.zero_grad()
    for k in range(masks):
        own = {name: View(*(index[k::masks] for index in view)) for name, view in views.items()}
        if aux_mask == 'same':
            own['auxiliary'] = own['student']
        alone, alone_smoothed, _ = model.distill(clips, own, history)
        torch.testing.assert_close(alone_smoothed, smoothed[k::masks], rtol=1e-4, atol=1e-5)
        (sum(alone.values()) / masks).backward()
    for p, grad in zip(model.parameters(), together):
        scale = grad.abs().max().item()
        torch.testing.assert_close(p.grad, grad, rtol=1e-3, atol=1e-4 * scale)


def test_the_outbox_names_the_video_of_each_mask(make, random_clips, make_samples, fake_history):
    model = make(terms=ALL, num_masks=3)
    model.attach_difficulty(fake_history(torch.zeros(4, 3, 32)))
    model.loss(random_clips(2)[:, None], make_samples(3, 1))
    outbox = model.pop_patch_losses()
    assert outbox.sample_idx == [3, 3, 3, 1, 1, 1]
    assert outbox.masked_index.shape == (6, 24) and outbox.smoothed.shape == (6, 3, 24)


# --- what does not fit together ---


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(teachers={}), 'at least one teacher'),
        (dict(terms=[dict(type='BaseTerm'), dict(type='BaseTerm')]), "two terms .* 'base'"),
        (dict(terms=[dict(type='BaseTerm', teachers=['d'])]), r"\['d'\]; the teachers are"),
        (dict(terms=[dict(type='TubeMasker')]), "'TubeMasker' in terms is not a Term"),
        (dict(views=dict(student=dict(mask_ratio=0.5))), "views gives 'student'"),
        (dict(views=dict(wide=dict(mask_ratio=0.9))), "view 'wide' has mask_ratio 0.9, above 0.75"),
        (dict(num_masks=0), 'num_masks is 0'),
        (
            dict(terms=[dict(type='DARETerm', name=n, teachers=[n]) for n in 'ac']),
            'two DARETerms; a model has one at most',
        ),
        (dict(terms=[dict(type='PSDTerm', name=n) for n in 'ac']), 'two PSDTerms'),
        (
            dict(
                views=dict(decode=dict(type='CubeMasker', mask_ratio=0.5, whole_clip=True)),
                terms=[dict(type='CLFATerm', align_tokens='masked')],
            ),
            'CLFATerm looks at masked patches',
        ),
        (
            dict(
                views=dict(decode=dict(type='CubeMasker')),
                terms=[dict(type='PSDTerm', aux_mask='nested')],
            ),
            "aux_mask='nested' needs predictions",
        ),
    ],
)
def test_parts_that_do_not_fit_are_named(make, changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_a_teacher_on_a_view_gives_no_targets_at_all_masked_patches(make, sizes):
    narrow = dict(type='VideoMAETeacher', view='wide', **sizes.video_teacher)
    with pytest.raises(ValueError, match=r"the teacher a sees only the view 'wide'"):
        make(teachers=dict(a=narrow), views=dict(wide=dict(mask_ratio=0.5)))
    with pytest.raises(
        ValueError, match=r"teachers\.a sees the view 'wide'; views has \['student'\]"
    ):
        make(teachers=dict(a=narrow))


@pytest.mark.parametrize(
    'terms, index, before, refused',
    [
        ([dict(type='CLFATerm')], 0, None, 'CLFATerm in phase 1: no loss reaches the last layers'),
        ([dict(type='CLFATerm'), dict(type='PSDTerm')], 0, None, 'CLFATerm in phase 1'),
        ([dict(type='CLFATerm'), dict(type='PSDTerm')], 1, 0.5, None),
        ([dict(type='CLFATerm'), dict(type='BaseTerm')], 0, None, None),
        ([dict(type='LayerPairTerm', pairs=[(5, 2)])], 0, None, None),
        (
            [dict(type='BaseTerm', teachers='a'), dict(type='PSDTerm')],
            *(0, None, 'no loss trains the decoder of b, c in phase 1'),
        ),
        ([dict(type='BaseTerm', teachers='a'), dict(type='PSDTerm')], 1, 0.5, None),
        ([dict(type='LayerPairTerm', pairs=[(4, 2)])], 0, None, 'LayerPairTerm in phase 1'),
    ],
)
def test_a_phase_in_which_layers_would_not_learn_is_refused(make, terms, index, before, refused):
    model, phase = make(terms=terms), Phase(index, 0.75, 0, 1)
    if refused is None:
        model.check_phase(phase, before)
    else:
        with pytest.raises(ValueError, match=refused):
            model.check_phase(phase, before)


# --- the diagnosis ---


def _diagnosis(model, clips):
    step = model.observe(clips, model.draw_views(clips))
    return step, diagnose(step, model.terms.values(), model.views.num_masks)


def test_features_of_a_clip_are_the_mean_over_its_masks(make, random_clips):
    step, diagnosis = _diagnosis(make(num_masks=2), random_clips())
    pooled = step.tokens.mean(1)
    torch.testing.assert_close(diagnosis.features, (pooled[::2] + pooled[1::2]) / 2)


def test_the_diagnosis_counts_what_the_loss_counts(make, random_clips):
    decode = dict(type='RunningCellMasker', mask_ratio=0.5, whole_clip=True)
    step, diagnosis = _diagnosis(make(views=dict(decode=decode)), random_clips())
    counted, student = step.student.counted, step.student
    assert 0 < counted.sum() < counted.numel()
    targets = student.at_masked(step.targets['a'])[counted]
    error = (step.decoded['a'][counted] - targets).square().mean()
    variance = targets.var(0, correction=0).mean()
    torch.testing.assert_close(diagnosis.explained['explained_a'], 1 - error / variance)
