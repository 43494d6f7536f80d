"""The steps that are timed against each other do the same work in the same precision."""

import pytest
import torch
from torch import nn


@pytest.fixture
def make_step(benchmark_module):
    """Builds a step of the tiny model, without drop path, always on the same clips."""
    module, reference = benchmark_module('steps'), benchmark_module('reference_step')

    def make(kind='Step', changes=None, **options):
        model = module.build_model(changes or {}, tiny=True)
        model.backbone.eval()
        torch.manual_seed(1)
        kinds = dict(Step=module.Step, ReferenceStep=reference.ReferenceStep)
        return kinds[kind](model, 2, **options)

    return make


@pytest.mark.parametrize('distance', ['l2', 'smooth_l1'])
def test_teachers_in_inference_mode_change_nothing(make_step, distance):
    results = []
    for inference in (False, True):
        step = make_step(changes=dict(base=dict(distance=distance)), inference=inference)
        loss = step.forward()
        loss.backward()
        results.append((loss, [p.grad for p in step.model.parameters() if p.grad is not None]))
    assert results[0][1]
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=0)


@pytest.mark.parametrize('kind', ['Step', 'ReferenceStep'])
@pytest.mark.parametrize('autocast', [False, True])
def test_student_and_teachers_run_under_the_same_autocast(make_step, kind, autocast):
    step = make_step(kind, dict(psd=None, dare=None, clfa=None), autocast=autocast)
    seen = set()
    for network in (step.model, *(t.network for t in step.model.teachers.values())):
        for module in network.modules():
            if isinstance(module, nn.GELU):
                module.register_forward_hook(lambda module, x, out: seen.add(out.dtype))
    before = [p.detach().clone() for p in step.model.parameters()]
    step()
    assert seen == {torch.bfloat16 if autocast else torch.float32}
    assert any(not torch.equal(a, b) for a, b in zip(before, step.model.parameters()))
