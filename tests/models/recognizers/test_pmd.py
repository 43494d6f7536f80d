"""The weighted terms of the total loss, against plain computations from stock parts."""

import copy
import pickle
from mmap import mmap
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from pmd_mmaction.hooks.difficulty.dare_hook import DifficultyReader
from tests.integration import tiny
from tests.models.recognizers.loops import SEED

ONLY_BASE = dict(psd=None, dare=None, clfa=None)


@pytest.mark.parametrize('off', [(), ('base',), ('psd',), ('dare',), ('clfa',), ('psd', 'dare')])
@pytest.mark.parametrize('teachers', [('img', 'vid'), ('img',), ('vid',)])
def test_log_keys(make_recognizer, batch, off, teachers):
    overrides = dict.fromkeys(off)
    if 'img' not in teachers:
        overrides['image_teacher'] = None
    if 'vid' not in teachers:
        overrides['video_teacher'] = None
    model = make_recognizer(**overrides)
    names = dict(base='base', psd='pg', dare='df', clfa='al')
    expected = {f'loss_{names[t]}_{k}' for t in names if t not in off for k in teachers}
    losses = model(*batch, mode='loss')
    assert set(losses) == expected
    for name, value in losses.items():
        assert value.shape == () and value.dtype == torch.float32, name


def test_the_runner_sums_exactly_these_losses(make_recognizer, batch):
    model = make_recognizer()
    losses = model(*batch, mode='loss')
    total, _ = model.parse_losses(losses)
    assert total.item() == pytest.approx(sum(x.item() for x in losses.values()), rel=1e-6)


@pytest.mark.parametrize('style', ['pmd', 'mvd'])
def test_base_losses_and_gradients_equal_a_plain_mvd_step(
    make_recognizer, batch, stock_student, stock_targets, mask_of, total_gradients, sizes, style
):
    overrides = dict(ONLY_BASE)
    if style == 'mvd':  # SmoothL1 on raw features
        overrides['base'] = dict(distance='smooth_l1')
        for key, kind in (('image', 'TimmImageTeacher'), ('video', 'VideoMAETeacher')):
            cfg = getattr(sizes, f'{key}_teacher')
            overrides[f'{key}_teacher'] = dict(type=kind, target_norm='none', **cfg)
    model = make_recognizer(**overrides)
    losses, grads = total_gradients(model, *batch, SEED)

    clips = batch[0].flatten(0, 1)
    mask = mask_of(model, clips, SEED)
    student = stock_student(model)
    predictions = student(clips, mask)
    targets = stock_targets(model, clips, layer_norm=style == 'pmd')
    distance = F.mse_loss if style == 'pmd' else F.smooth_l1_loss
    expected = {k: distance(predictions[k][mask], targets[k][mask]) for k in targets}
    for name, value in expected.items():
        assert losses[f'loss_base_{name}'].item() == pytest.approx(value.item(), rel=1e-4)
    sum(expected.values()).backward()
    stock = dict(student.named_parameters())
    assert set(stock) == set(grads)
    for name, grad in grads.items():
        scale = stock[name].grad.abs().max().item()
        torch.testing.assert_close(grad, stock[name].grad, rtol=1e-3, atol=1e-4 * scale, msg=name)


def test_alignment_losses_equal_the_double_loop(
    make_recognizer, batch, stock_student, mask_of, sizes
):
    model = make_recognizer(clfa=dict(type='CLFATerm', loss_weight=0.5))
    model.seed_masks(SEED)
    losses = model.loss(*batch)
    clips = batch[0].flatten(0, 1)
    mask = mask_of(model, clips, SEED)
    _, layers = stock_student(model).encode(clips, mask)
    for name, teacher in model.teachers.items():
        width, third = teacher.embed_dims, teacher.depth // 3
        taught = [
            F.layer_norm(z, (width,))[~mask].reshape(2, -1, width)
            for z in teacher.iter_layers(clips)
        ]
        fcs = model.terms['al'].projections[name]
        expected = 0.0
        for first, group in ((0, taught[third : 2 * third]), (2, taught[2 * third :])):
            for i in (first, first + 1):
                for t in group:
                    expected += F.mse_loss(fcs[i](layers[i]), t).item() / (2 * len(group))
        assert losses[f'loss_al_{name}'].item() == pytest.approx(0.5 * expected, rel=1e-4)


def test_terms_with_lambda_zero_or_off_leave_exactly_the_base(
    make_recognizer, batch, total_gradients
):
    base = make_recognizer(**ONLY_BASE)
    zero = make_recognizer(
        psd=dict(loss_weight=0.0),
        dare=dict(loss_weight=0.0),
        clfa=dict(type='CLFATerm', loss_weight=0.0),
    )
    zero.load_state_dict(base.state_dict(), strict=False)
    for key in base.teachers:
        zero.teachers[key].network.load_state_dict(base.teachers[key].network.state_dict())
    zero.promote_student()
    base_losses, base_grads = total_gradients(base, *batch)
    zero_losses, zero_grads = total_gradients(zero, *batch)
    for name, value in zero_losses.items():
        assert value.item() == (base_losses[name].item() if 'base' in name else 0)
    for name, grad in base_grads.items():
        assert torch.equal(zero_grads[name], grad), name


@pytest.mark.parametrize('term, key', [('base', 'base'), ('psd', 'pg'), ('dare', 'df')])
def test_every_term_is_multiplied_by_its_lambda(in_second_phase, batch, term, key):
    def run(weight):
        model = in_second_phase(**{term: dict(loss_weight=weight)})
        model.seed_masks(SEED)
        return model.loss(*batch)

    single, triple = run(1.0), run(3.0)
    for name in single:
        factor = 3 if f'_{key}_' in name else 1
        assert triple[name].item() == pytest.approx(factor * single[name].item(), rel=1e-5)


TERM_KEYS = dict(base='base', psd='pg', dare='df', clfa='al')


@pytest.mark.parametrize('term', TERM_KEYS)
def test_a_term_may_have_a_lambda_for_each_teacher(in_second_phase, batch, term):
    def run(**weights):
        kind = dict(type='CLFATerm') if term == 'clfa' else {}
        model = in_second_phase(**{term: dict(kind, loss_weight=weights or 1.0)})
        model.seed_masks(SEED)
        return model.loss(*batch)

    plain, weighted = run(), run(image=0.5, video=3.0)
    assert plain.keys() == weighted.keys()
    factors = {f'loss_{TERM_KEYS[term]}_img': 0.5, f'loss_{TERM_KEYS[term]}_vid': 3.0}
    for name in plain:
        expected = factors.get(name, 1) * plain[name].item()
        assert weighted[name].item() == pytest.approx(expected, rel=1e-5)


def test_the_lambdas_of_the_paper_are_the_defaults(make_recognizer):
    model = make_recognizer()
    weights = {name: term.loss_weight for name, term in model.terms.items()}
    assert weights == dict(base=1, pg=0.05, df=1, al=1)


def test_a_term_may_differ_from_base(make_recognizer):
    """What base gives them is a default."""
    model = make_recognizer(
        base=dict(distance='smooth_l1', channel_reduction='sum'),
        psd=dict(channel_reduction='mean'),
        dare=dict(distance='l2'),
    )
    terms = model.terms
    assert [terms[name].channel_reduction for name in ('base', 'pg', 'df')] == [
        'sum',
        'mean',
        'sum',
    ]
    assert [terms[name].distance for name in ('base', 'df')] == ['smooth_l1', 'l2']


def test_training_reduces_the_loss(make_recognizer, batch):
    model = make_recognizer()
    model.init_weights()
    optimizer, totals = torch.optim.AdamW(model.parameters(), lr=3e-3), []
    for _ in range(15):
        model.seed_masks(SEED)
        total = sum(model.loss(*batch).values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.7 * totals[0]


@pytest.mark.parametrize(
    'overrides, error, message',
    [
        (dict(image_teacher=None, video_teacher=None), ValueError, 'image_teacher, video_teacher'),
        (dict(base=None, dare=None), ValueError, 'base and dare are both off'),
        (dict(base=dict(weight=1)), TypeError, 'weight'),
        (dict(psd=dict(mask='same')), TypeError, 'mask'),
        (dict(dare=dict(stage_epochs=32)), TypeError, 'stage_epochs'),
        (dict(clfa=dict(type='CLFATerm', tokens='all')), TypeError, 'tokens'),
        (dict(lambda_base=1), TypeError, 'lambda_base'),
    ],
)
def test_impossible_configs_are_refused(make_recognizer, overrides, error, message):
    with pytest.raises(error, match=message):
        make_recognizer(**overrides)


def test_token_grids_must_agree(make_recognizer, sizes):
    video = dict(type='VideoMAETeacher', **{**sizes.video_teacher, 'num_frames': 8})
    with pytest.raises(
        ValueError, match=r'video_teacher .*\(4, 4, 4\), the student of \(2, 4, 4\)'
    ):
        make_recognizer(video_teacher=video)


def test_a_model_in_training_can_be_copied_and_pickled(make_recognizer):
    model = make_recognizer()
    model.attach_difficulty(DifficultyReader(SimpleNamespace(mapped=mmap(-1, 1))))
    copied = copy.deepcopy(model)
    assert copied._difficulty is model._difficulty
    model.attach_difficulty(None)
    again = pickle.loads(pickle.dumps(model))
    assert tiny.same(again.state_dict(), model.state_dict())
