"""PMDRecognizer against plain computations from stock parts."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmaction.structures import ActionDataSample

from pmd_mmaction.functional import Phase

SEED = 7
ONLY_BASE = dict(psd=None, dare=None, clfa=None)


@pytest.fixture
def batch(random_clips, make_samples):
    """Two videos with one clip each: inputs, samples."""
    return random_clips()[:, None], make_samples(3, 1)


@pytest.fixture
def in_second_phase(make_recognizer, randomize):
    """Builds a model whose student has moved on since it was promoted."""

    def make(ratio=0.85, **overrides):
        model = make_recognizer(**overrides)
        model.promote_student()
        randomize(model.backbone, 5, std=0.1)
        randomize(model.decoders, 6, std=0.1)
        model.set_phase(Phase(1, ratio, 1, 2), previous_ratio=0.75)
        return model

    return make


def history(teachers=2, seed=0):
    """Random values of 4 videos in which some patches were never masked."""
    generator = torch.Generator().manual_seed(seed)
    values = 2 * torch.rand(4, teachers, 32, generator=generator)
    return values * (torch.rand(4, teachers, 32, generator=generator) > 0.2)


def loop_patch_losses(predictions, targets, mask):
    """Teacher name to {(b, p): mean over channels of the squared error}."""
    return {
        name: {
            (b, p): (predictions[name][b, p] - targets[name][b, p]).double().square().mean()
            for b, p in mask.nonzero().tolist()
        }
        for name in targets
    }


# --- log keys ---


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


# --- base ---


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


def test_terms_with_lambda_zero_or_off_leave_exactly_the_base(
    make_recognizer, batch, total_gradients
):
    base = make_recognizer(**ONLY_BASE)
    zero = make_recognizer(
        psd=dict(loss_weight=0.0),
        dare=dict(loss_weight=0.0),
        clfa=dict(type='CLFANeck', loss_weight=0.0),
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


def test_the_lambdas_of_the_paper_are_the_defaults(make_recognizer):
    model = make_recognizer()
    weights = [x.loss_weight for x in (model.base, model.psd, model.dare, model.neck)]
    assert weights == [1, 0.05, 1, 1]


# --- psd ---


def test_the_progressive_loss_is_zero_in_the_first_phase(make_recognizer, batch):
    losses = make_recognizer().loss(*batch)
    assert losses['loss_pg_img'].item() == losses['loss_pg_vid'].item() == 0


@torch.no_grad()
def test_the_auxiliary_teacher_is_the_promoted_student(
    make_recognizer, randomize, random_clips, sizes
):
    options = dict(use_mean_pooling=False, drop_path_rate=0.5)
    model = make_recognizer(
        backbone=dict(type='MaskedVisionTransformer', **options, **sizes.student)
    )
    clips = random_clips()
    model.promote_student()
    view = model.draw_view(clips)
    index = view.visible_index, view.masked_index
    model.eval()
    tokens = model.backbone.encode(clips, index[0]).tokens
    expected = {name: decoder(tokens, *index) for name, decoder in model.decoders.items()}
    model.train()
    randomize(model.backbone)
    randomize(model.decoders)
    taught = model.auxiliary_teacher(clips, *index)
    assert list(taught) == ['img', 'vid']
    for name, value in taught.items():
        assert torch.equal(value, expected[name])


def test_promotion_from_a_state_dict(make_recognizer, randomize, random_clips):
    model = make_recognizer()
    state = {key: value.clone() for key, value in model.student_state_dict().items()}
    assert {key.split('.')[0] for key in state} == {'backbone', 'decoders'}
    randomize(model)
    model.promote_student(state)
    network = model.auxiliary_teacher.network
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert set(network.state_dict()) == set(state)


def test_promotion_of_a_foreign_state_dict_is_refused(make_recognizer):
    with pytest.raises(RuntimeError, match='Missing key'):
        make_recognizer().promote_student({})


def test_the_auxiliary_teacher_is_neither_trained_nor_saved(in_second_phase, batch):
    model = in_second_phase()
    assert not any('auxiliary' in name for name in model.state_dict())
    assert not any('auxiliary' in name for name, _ in model.named_parameters())


@pytest.mark.parametrize('aux_mask', ['same', 'nested'])
@pytest.mark.parametrize('distance', ['l2', 'smooth_l1'])
def test_progressive_loss_equals_the_loop(
    make_recognizer, batch, stock_student, mask_of, randomize, aux_mask, distance
):
    model = make_recognizer(
        psd=dict(loss_weight=0.05, aux_mask=aux_mask), base=dict(distance=distance)
    )
    previous = stock_student(model)
    model.promote_student()
    randomize(model.backbone, 5, std=0.1)
    randomize(model.decoders, 6, std=0.1)
    model.set_phase(Phase(1, 0.85, 1, 2), previous_ratio=0.5)
    model.seed_masks(SEED)
    losses = model.loss(*batch)

    clips = batch[0].flatten(0, 1)
    mask = mask_of(model, clips, SEED)
    aux_mask_ = mask_of(model, clips, SEED, auxiliary=True)
    if aux_mask == 'same':
        assert torch.equal(aux_mask_, mask)
    else:  # its own, lower ratio; its visible set contains the student's
        assert aux_mask_.sum(1).tolist() == [16, 16] and mask.sum(1).tolist() == [26, 26]
        assert (mask | ~aux_mask_).all()
    present = stock_student(model)(clips, mask)
    # x^{ph-1} against x^{st}, always the squared L2 distance of the equation
    terms = loop_patch_losses(present, previous(clips, aux_mask_), aux_mask_)
    for name, values in terms.items():
        expected = 0.05 * sum(values.values()).item() / len(values)
        assert losses[f'loss_pg_{name}'].item() == pytest.approx(expected, rel=1e-4)


def test_nested_without_an_earlier_phase_sees_what_the_student_sees(make_recognizer, random_clips):
    model = make_recognizer(psd=dict(aux_mask='nested'))
    view = model.draw_view(random_clips())
    assert torch.equal(view.aux_masked_index, view.masked_index)


# --- dare ---


@pytest.mark.parametrize('scale', ['balanced', 'paper'])
@pytest.mark.parametrize('stage', ['first', 'later', 'without weighting'])
def test_difficulty_losses_and_the_outbox_equal_the_loop(
    make_recognizer, batch, stock_student, stock_targets, mask_of, fake_history, scale, stage
):
    alpha, tau, videos = 0.8, 0.7, [3, 1]
    last, ended = history(seed=1), history(seed=2)
    model = make_recognizer(
        dare=dict(
            alpha=alpha, tau=tau, difficulty_scale=scale, weighting=stage != 'without weighting'
        )
    )
    model.attach_difficulty(fake_history(last, None if stage == 'first' else ended))
    model.seed_masks(SEED)
    losses = model.loss(*batch)
    outbox = model.pop_patch_losses()

    clips = batch[0].flatten(0, 1)
    mask = mask_of(model, clips, SEED)
    targets = stock_targets(model, clips)
    terms = loop_patch_losses(stock_student(model)(clips, mask), targets, mask)
    assert outbox.sample_idx == videos
    assert outbox.smoothed.shape == (2, 2, 24) and not outbox.smoothed.requires_grad
    for k, name in enumerate(['img', 'vid']):
        total = 0.0
        for b, video in enumerate(videos):
            masked = mask[b].nonzero().flatten().tolist()
            assert outbox.masked_index[b].tolist() == masked
            denominator = sum(math.exp(x / tau) for x in ended[video, k].tolist())
            for place, p in enumerate(masked):
                smoothed = alpha * terms[name][b, p].item()
                smoothed += (1 - alpha) * last[video, k, p].item()
                assert outbox.smoothed[b, k, place].item() == pytest.approx(smoothed, rel=1e-4)
                if stage == 'later':
                    weight = math.exp(ended[video, k, p].item() / tau) / denominator
                else:
                    weight = 1 / len(masked)
                share = 1 if scale == 'balanced' else 1 / len(masked)
                total += share * weight * smoothed / len(videos)
        assert losses[f'loss_df_{name}'].item() == pytest.approx(total, rel=1e-4)


def test_only_the_new_loss_of_dare_carries_gradient(
    make_recognizer, batch, total_gradients, fake_history
):
    # With uniform, balanced weights dL_df = alpha * dL_base, whatever the history.
    base = make_recognizer(**ONLY_BASE)
    dare = make_recognizer(base=None, psd=None, clfa=None, dare=dict(alpha=0.6))
    dare.load_state_dict(base.state_dict())
    dare.attach_difficulty(fake_history(history()))
    _, base_grads = total_gradients(base, *batch)
    _, dare_grads = total_gradients(dare, *batch)
    for name, grad in base_grads.items():
        scale = grad.abs().max().item()
        torch.testing.assert_close(
            dare_grads[name], 0.6 * grad, rtol=1e-3, atol=1e-4 * scale, msg=name
        )


def test_the_outbox_is_emptied_by_reading(make_recognizer, batch):
    model = make_recognizer()
    assert model.pop_patch_losses() is None
    model.loss(*batch)
    assert model.pop_patch_losses() is not None
    assert model.pop_patch_losses() is None


def test_every_clip_of_a_video_has_its_row(make_recognizer, random_clips, make_samples):
    model = make_recognizer()
    model.loss(random_clips(6).unflatten(0, (2, 3)), make_samples(3, 1))
    outbox = model.pop_patch_losses()
    assert outbox.sample_idx == [3, 3, 3, 1, 1, 1]
    assert outbox.masked_index.shape == (6, 24)
    assert outbox.smoothed.shape == (6, 2, 24)


def test_the_table_that_dare_needs(make_recognizer):
    assert make_recognizer(dare=dict(alpha=0.9)).difficulty_spec == (2, 32, 0.9, True)
    assert make_recognizer(image_teacher=None).difficulty_spec == (1, 32, 0.95, True)
    assert make_recognizer(dare=None).difficulty_spec is None


# --- clfa ---


def test_alignment_losses_equal_the_double_loop(
    make_recognizer, batch, stock_student, mask_of, sizes
):
    model = make_recognizer(clfa=dict(type='CLFANeck', loss_weight=0.5))
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
        fcs = model.neck.projections[name]
        expected = 0.0
        for first, group in ((0, taught[third : 2 * third]), (2, taught[2 * third :])):
            for i in (first, first + 1):
                for t in group:
                    expected += F.mse_loss(fcs[i](layers[i]), t).item() / (2 * len(group))
        assert losses[f'loss_al_{name}'].item() == pytest.approx(0.5 * expected, rel=1e-4)


# --- gradients and side effects ---


@pytest.mark.parametrize('phase', ['first', 'second'])
@pytest.mark.parametrize('aux_mask', ['same', 'nested'])
@pytest.mark.parametrize('align_tokens', ['visible', 'masked'])
def test_every_trainable_parameter_gets_a_gradient(
    make_recognizer, in_second_phase, batch, total_gradients, phase, aux_mask, align_tokens
):
    make = make_recognizer if phase == 'first' else in_second_phase
    model = make(psd=dict(aux_mask=aux_mask), clfa=dict(type='CLFANeck', align_tokens=align_tokens))
    _, grads = total_gradients(model, *batch)
    assert [name for name, grad in grads.items() if grad is None or not grad.any()] == []


@pytest.mark.parametrize('missing', ['image_teacher', 'video_teacher'])
def test_one_teacher_is_enough(in_second_phase, batch, total_gradients, fake_history, missing):
    model = in_second_phase(**{missing: None})
    model.attach_difficulty(fake_history(history(1), history(1, seed=1)))
    _, grads = total_gradients(model, *batch)
    assert [name for name, grad in grads.items() if grad is None or not grad.any()] == []


def test_a_forward_changes_nothing_but_the_outbox(in_second_phase, batch):
    model = in_second_phase()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    taught = {n: v.clone() for n, v in model.auxiliary_teacher.network.state_dict().items()}
    phase, random_state = model.phase, torch.get_rng_state()
    runs = []
    for _ in range(2):
        model.seed_masks(SEED)
        losses = model.loss(*batch)
        runs.append([*losses.values(), model.pop_patch_losses().smoothed])
    assert all(torch.equal(a, b) for a, b in zip(*runs))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(
        torch.equal(value, taught[name])
        for name, value in model.auxiliary_teacher.network.state_dict().items()
    )
    assert (model.phase, model.previous_ratio) == (phase, 0.75)
    assert torch.equal(torch.get_rng_state(), random_state)


def test_another_seed_gives_another_mask(make_recognizer, random_clips, mask_of):
    model, clips = make_recognizer(), random_clips()
    assert not torch.equal(mask_of(model, clips, 1), mask_of(model, clips, 2))


def test_without_a_seed_the_masks_follow_the_global_one(make_recognizer, random_clips):
    model, masks = make_recognizer(), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(model.draw_view(random_clips()).masked_index)
    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])


def test_optimizer_steps_leave_the_teachers_alone(in_second_phase, batch):
    model = in_second_phase().train()
    frozen = [*model.teachers.values(), model.auxiliary_teacher]
    before = [{k: v.clone() for k, v in t.network.state_dict().items()} for t in frozen]
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        sum(model.loss(*batch).values()).backward()
        optimizer.step()
    for teacher, state in zip(frozen, before):
        assert all(torch.equal(v, state[k]) for k, v in teacher.network.state_dict().items())


def test_teachers_are_not_in_the_state_dict(make_recognizer):
    parts = {key.split('.')[0] for key in make_recognizer().state_dict()}
    assert parts == {'backbone', 'decoders', 'neck'}


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


@pytest.mark.parametrize('align_tokens', ['visible', 'masked'])
def test_bfloat16_autocast_keeps_the_losses_in_float32(in_second_phase, batch, align_tokens):
    model, runs = in_second_phase(clfa=dict(type='CLFANeck', align_tokens=align_tokens)), []
    for enabled in (False, True):
        model.seed_masks(SEED)
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            runs.append(model.loss(*batch))
    for name, value in runs[1].items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(runs[0][name].item(), rel=0.1), name
    sum(runs[1].values()).backward()


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_teachers_can_be_less_precise_than_the_student(
    make_recognizer, in_second_phase, batch, total_gradients, dtype
):
    exact_losses, exact = total_gradients(in_second_phase(), *batch, SEED)
    model = in_second_phase(teacher_dtype=dtype)
    seen = []
    for network in (t.network for t in (*model.teachers.values(), model.auxiliary_teacher)):
        linear = next(m for m in network.modules() if isinstance(m, torch.nn.GELU))
        linear.register_forward_hook(lambda m, x, out: seen.append(out.dtype))
    model.backbone.norm.register_forward_hook(lambda m, x, out: seen.append(out.dtype))
    losses, grads = total_gradients(model, *batch, SEED)
    low = getattr(torch, dtype)
    assert sorted(seen, key=str) == sorted([low, low, low, torch.float32], key=str)
    assert any(not torch.equal(grads[name], exact[name]) for name in grads)
    for name, value in losses.items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(exact_losses[name].item(), rel=0.02), name


@pytest.mark.parametrize('all_teachers', [None, 'float16'])
def test_the_auxiliary_teacher_has_a_precision_of_its_own(
    in_second_phase, batch, total_gradients, all_teachers
):
    model = in_second_phase(teacher_dtype=all_teachers, psd=dict(aux_dtype='bfloat16'))
    others = None if all_teachers is None else torch.float16
    assert {teacher.dtype for teacher in model.teachers.values()} == {others}
    assert model.auxiliary_teacher.dtype == torch.bfloat16
    exact, losses = (
        total_gradients(m, *batch, SEED)[0]
        for m in (in_second_phase(teacher_dtype=all_teachers), model)
    )
    for name, value in losses.items():
        progressive = name.startswith('loss_pg')
        assert torch.equal(value, exact[name]) != progressive, name
        assert value.item() == pytest.approx(exact[name].item(), rel=0.02), name


def test_a_teacher_dtype_that_does_not_exist_is_refused(make_recognizer):
    with pytest.raises(ValueError, match="teacher_dtype is 'bf16'"):
        make_recognizer(teacher_dtype='bf16')


# --- modes ---


@torch.no_grad()
def test_tensor_mode_gives_the_mean_over_tokens_and_clips(make_recognizer, random_clips):
    model = make_recognizer()
    clips = random_clips(6)
    features = model(clips.unflatten(0, (2, 3)), mode='tensor')
    tokens = model.backbone.encode(clips).tokens
    for video in range(2):
        expected = torch.stack([tokens[3 * video + c].mean(0) for c in range(3)]).mean(0)
        torch.testing.assert_close(features[video], expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_predict_mode_puts_a_feature_into_each_sample(make_recognizer, batch):
    model = make_recognizer()
    samples = model(*batch, mode='predict')
    expected = model(batch[0], mode='tensor')
    assert len(samples) == 2
    for sample, feature in zip(samples, expected):
        assert torch.equal(sample.feature, feature)


@torch.no_grad()
def test_layers_of_the_full_clip(make_recognizer, random_clips):
    layers = make_recognizer().extract_layers(random_clips(6).unflatten(0, (2, 3)))
    assert [tuple(x.shape) for x in layers] == [(6, 32, 24)] * 6


@torch.no_grad()
def test_tensor_mode_can_give_the_layers(make_recognizer, batch):
    model = make_recognizer()
    layers = model(batch[0], mode='tensor', stage='layers')
    assert torch.equal(layers, torch.stack(model.extract_layers(batch[0])))


def test_only_the_backbone_has_features(make_recognizer, batch):
    with pytest.raises(ValueError, match="stage is 'head'"):
        make_recognizer()(batch[0], mode='tensor', stage='head')


# --- errors ---


def test_without_a_phase_there_is_no_mask(make_recognizer, batch):
    model = make_recognizer()
    model.phase = None
    with pytest.raises(RuntimeError, match='ProgressivePhaseHook'):
        model.loss(*batch)


def test_dare_needs_a_table(make_recognizer, batch):
    model = make_recognizer()
    model.attach_difficulty(None)
    with pytest.raises(RuntimeError, match='DAREHook'):
        model.loss(*batch)


def test_dare_needs_the_index_of_each_sample(make_recognizer, batch, make_samples):
    samples = [*make_samples(3), ActionDataSample()]
    with pytest.raises(ValueError, match=r'data samples \[1\] .*sample_idx'):
        make_recognizer().loss(batch[0], samples)


def test_without_dare_no_index_is_needed(make_recognizer, batch):
    make_recognizer(dare=None).loss(batch[0], [ActionDataSample(), ActionDataSample()])


@pytest.mark.parametrize(
    'overrides, error, message',
    [
        (dict(image_teacher=None, video_teacher=None), ValueError, 'image_teacher, video_teacher'),
        (dict(base=None, dare=None), ValueError, 'base and dare are both off'),
        (dict(base=dict(weight=1)), TypeError, 'weight'),
        (dict(psd=dict(mask='same')), TypeError, 'mask'),
        (dict(dare=dict(stage_epochs=32)), TypeError, 'stage_epochs'),
        (dict(clfa=dict(type='CLFANeck', tokens='all')), TypeError, 'tokens'),
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


def test_a_ratio_that_the_grid_cannot_give_is_refused(make_recognizer):
    model = make_recognizer()
    with pytest.raises(ValueError, match=r'mask_ratio 0\.01'):
        model.set_phase(Phase(0, 0.01, 0, 1))
    assert model.phase.mask_ratio == 0.75


def test_nested_needs_rising_ratios(make_recognizer):
    falling = Phase(1, 0.75, 1, 2)
    with pytest.raises(ValueError, match=r'phase 2 has 0\.75 after 0\.9'):
        make_recognizer(psd=dict(aux_mask='nested')).set_phase(falling, 0.9)
    make_recognizer(psd=dict(aux_mask='same')).set_phase(falling, 0.9)
