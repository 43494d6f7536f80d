"""The plain reference computes what our base step computes."""

import copy

import pytest
import torch


@pytest.fixture
def steps(benchmark_module):
    module, reference = benchmark_module('steps'), benchmark_module('reference_step')
    own = module.Step(module.build_model(dict(module.OFF), tiny=True), 2)
    # Without drop path, whose draws depend on the order of the computations.
    own.model.backbone.eval(), own.model.decoders.eval()
    plain = copy.copy(own)
    plain.__class__ = reference.ReferenceStep
    plain.model = module.build_model(dict(module.OFF), tiny=True)
    plain.model.load_state_dict(own.model.state_dict())
    plain.model.backbone.eval(), plain.model.decoders.eval()
    for name, teacher in plain.model.teachers.items():
        teacher.network.load_state_dict(own.model.teachers[name].network.state_dict())
    reference.restore_stock_parts(plain.model)
    for step in (own, plain):
        step.model.double()
        step.clips = own.clips.double()
    return own, plain


def test_loss_and_gradients_are_those_of_our_base_step(steps):
    results = []
    for step in steps:
        loss = step.forward()
        loss.backward()
        results.append((loss, {name: p.grad for name, p in step.model.named_parameters()}))
    # Our patch losses are float32 whatever the model is.
    torch.testing.assert_close(results[0][0].float(), results[1][0].float(), rtol=1e-5, atol=0)
    for name, grad in results[1][1].items():
        scale = grad.abs().max().item()
        torch.testing.assert_close(results[0][1][name], grad, rtol=1e-4, atol=1e-5 * scale)


def test_nothing_of_the_reference_is_fused(steps):
    modules = [
        m
        for part in (steps[1].model, *(t.network for t in steps[1].model.teachers.values()))
        for m in part.modules()
    ]
    assert not any(type(m).__name__ in ('FusedAttention', 'SplitBlock') for m in modules)
    assert not any(getattr(m, 'fused_attn', False) for m in modules)
