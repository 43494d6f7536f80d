"""Every trained parameter gets a gradient, so DDP needs no `find_unused_parameters`."""

import pytest

from pmd_mmaction.functional import Phase

TERMS = {
    'all': {},
    'base alone': dict(psd=None, dare=None, clfa=None),
    'dare alone': dict(base=None, psd=None, clfa=None),
    'base and psd': dict(dare=None, clfa=None),
    'base and clfa': dict(psd=None, dare=None),
    'nested': dict(psd=dict(aux_mask='nested')),
    'completed tokens': dict(clfa=dict(type='CLFANeck', align_tokens='masked')),
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
