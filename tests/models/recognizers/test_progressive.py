"""State kept between iterations, and what no iteration changes."""

import pytest
import torch

from pmd_mmaction.functional import Phase
from tests.models.recognizers.loops import SEED


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
    index = model.draw_views(clips)['auxiliary']
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


def test_teachers_are_not_in_the_state_dict(make_recognizer):
    parts = {key.split('.')[0] for key in make_recognizer().state_dict()}
    assert parts == {'backbone', 'decoders', 'terms'}


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


def test_without_a_phase_there_is_no_mask(make_recognizer, batch):
    model = make_recognizer()
    model.phase = None
    with pytest.raises(RuntimeError, match='ProgressivePhaseHook'):
        model.loss(*batch)


def test_a_ratio_that_the_grid_cannot_give_is_refused(make_recognizer):
    model = make_recognizer()
    with pytest.raises(ValueError, match=r'mask_ratio 0\.01'):
        model.set_phase(Phase(0, 0.01, 0, 1))
    assert model.phase.mask_ratio == 0.75
