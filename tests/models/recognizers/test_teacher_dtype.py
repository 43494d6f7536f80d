"""Teachers in another precision than the student."""

import pytest
import torch

from tests.models.recognizers.loops import SEED


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
