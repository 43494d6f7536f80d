"""The memory model against what PyTorch keeps and against a process's peak."""

import itertools

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

SMALL = dict(embed_dims=192, depth=6, num_heads=3)


def kept_bytes(step):
    """Bytes of all storages that a forward pass keeps, parameters and buffers excluded."""
    own = {
        p.untyped_storage().data_ptr() for p in (*step.model.parameters(), *step.model.buffers())
    }
    storages = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if tensor.is_floating_point() and storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage  # kept alive, so that no address comes twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = step.forward()
    assert loss.requires_grad
    return sum(storage.nbytes() for storage in storages.values())


@pytest.mark.parametrize('ratio', [0.75, 0.9])
@pytest.mark.parametrize('checkpointing', [False, True])
def test_what_the_backward_pass_keeps(benchmark_module, ratio, checkpointing):
    steps, memory_model = benchmark_module('steps'), benchmark_module('memory_model')
    model = steps.build_model(
        grid=SMALL, ratio=ratio, backbone=dict(activation_checkpointing=checkpointing)
    )
    batch = 2
    kept = kept_bytes(steps.Step(model, batch))
    predicted = batch * memory_model.step_memory(model).kept
    assert predicted == pytest.approx(kept, rel=0.05)


def peak_bytes(step):
    """Most bytes of tensors alive during a forward pass, without those from before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        step.forward()
    events = recorded.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == '[memory]')
    return max(itertools.accumulate(nbytes for _, nbytes in changes))


@pytest.mark.parametrize('ratio', [0.75, 0.9])
@pytest.mark.parametrize('checkpointing', [False, True])
def test_the_peak_of_a_forward_pass(benchmark_module, ratio, checkpointing):
    steps, memory_model = benchmark_module('steps'), benchmark_module('memory_model')
    model = steps.build_model(
        grid=SMALL, ratio=ratio, backbone=dict(activation_checkpointing=checkpointing)
    )
    few, many = (steps.Step(model, batch) for batch in (1, 2))
    per_clip = peak_bytes(many) - peak_bytes(few)
    clip = few.clips.nbytes  # is there before
    assert memory_model.step_memory(model).per_clip - clip == pytest.approx(per_clip, rel=0.05)


def test_the_peak_of_a_process(benchmark_module):
    growth, harness = benchmark_module('growth'), benchmark_module('harness')
    _, measured, predicted = harness.in_own_process(
        growth.run_point, 4, SMALL, 0.9, False, False, 1
    )
    assert predicted == pytest.approx(measured, rel=0.2)


def test_largest_batch(benchmark_module):
    memory = benchmark_module('memory_model').Memory(2**30, 2**29, 2**28)
    batch = memory.largest_batch(10)
    assert memory.total(batch) <= 9 * 2**30 < memory.total(batch + 1)
