"""Every trained parameter gets a gradient, so DDP needs no `find_unused_parameters`."""

import pytest

from pmd_mmaction.functional import Phase
from tests.models.recognizers.loops import history

# Beside the choices of all four terms, below.
TERMS = {
    'base alone': dict(psd=None, dare=None, clfa=None),
    'dare alone': dict(base=None, psd=None, clfa=None),
    'base and psd': dict(dare=None, clfa=None),
    'base and clfa': dict(psd=None, dare=None),
    'image teacher alone': dict(video_teacher=None),
    'video teacher alone': dict(image_teacher=None),
    'uniform weights': dict(dare=dict(weighting=False)),
}


@pytest.mark.parametrize('terms', TERMS)
@pytest.mark.parametrize('second_phase', [False, True])
def test_no_parameter_is_left_without_gradient(
    make_recognizer, random_clips, make_samples, total_gradients, terms, second_phase
):
    model = make_recognizer(**TERMS[terms])
    if second_phase:
        if model.needs_auxiliary_teacher:
            model.promote_student()
        model.set_phase(Phase(1, 0.85, 1, 2), previous_ratio=0.75)
    _, gradients = total_gradients(model, random_clips()[:, None], make_samples(3, 1))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained and {name for name in trained if gradients[name] is None} == set()


@pytest.mark.parametrize('phase', ['first', 'second'])
@pytest.mark.parametrize('aux_mask', ['same', 'nested'])
@pytest.mark.parametrize('align_tokens', ['visible', 'masked'])
def test_every_trainable_parameter_gets_a_gradient(
    make_recognizer, in_second_phase, batch, total_gradients, phase, aux_mask, align_tokens
):
    make = make_recognizer if phase == 'first' else in_second_phase
    model = make(psd=dict(aux_mask=aux_mask), clfa=dict(type='CLFATerm', align_tokens=align_tokens))
    _, grads = total_gradients(model, *batch)
    assert [name for name, grad in grads.items() if grad is None or not grad.any()] == []


@pytest.mark.parametrize('missing', ['image_teacher', 'video_teacher'])
def test_one_teacher_is_enough(in_second_phase, batch, total_gradients, fake_history, missing):
    model = in_second_phase(**{missing: None})
    model.attach_difficulty(fake_history(history(1), history(1, seed=1)))
    _, grads = total_gradients(model, *batch)
    assert [name for name, grad in grads.items() if grad is None or not grad.any()] == []
