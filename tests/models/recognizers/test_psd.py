"""The loss towards the auxiliary teacher, and the mask that this teacher sees."""

import pytest
import torch

from pmd_mmaction.functional import Phase
from tests.models.recognizers.loops import SEED, loop_patch_losses


def test_the_progressive_loss_is_zero_in_the_first_phase(make_recognizer, batch):
    losses = make_recognizer().loss(*batch)
    assert losses['loss_pg_img'].item() == losses['loss_pg_vid'].item() == 0


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
    model.promote_student()
    views = model.draw_views(random_clips())
    assert views['auxiliary'] is views['student']


def test_nested_needs_rising_ratios(make_recognizer):
    falling = Phase(1, 0.75, 1, 2)
    with pytest.raises(ValueError, match=r'phase 2 has 0\.75 after 0\.9'):
        make_recognizer(psd=dict(aux_mask='nested')).set_phase(falling, 0.9)
    make_recognizer(psd=dict(aux_mask='same')).set_phase(falling, 0.9)
