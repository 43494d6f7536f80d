"""The memory model under bf16 autocast, against the forward pass on a GPU that is not there.

Under `FakeTensorMode` tensors have a device and a size, but no content: what lives when is that of
a GPU with flash attention.
"""

import weakref
from contextlib import ExitStack
from unittest import mock

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SMALL = dict(embed_dims=192, depth=6, num_heads=3)


class Allocator(TorchDispatchMode):
    """Counts bytes of living storages, and the most so far."""

    def __init__(self):
        super().__init__()
        self.known, self.living, self.peak = set(), 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._note(tensor.untyped_storage())
        return result

    def _note(self, storage):
        if storage._cdata not in self.known:
            self.known.add(storage._cdata)
            self.living += storage.nbytes()
            self.peak = max(self.peak, self.living)
            weakref.finalize(storage, self._free, storage._cdata, storage.nbytes())

    def _free(self, address, size):
        self.known.discard(address)
        self.living -= size


class FakeGenerator:
    """Stands in for a generator on a GPU, which cannot be made here."""

    def __init__(self, device):
        self.device = device

    def manual_seed(self, seed):
        return self


def _flash(query, key, value, dropout_p=0.0, scale=None, **_):
    assert query.dtype == torch.bfloat16
    flash = torch.ops.aten._scaled_dot_product_flash_attention
    return flash(query, key, value, dropout_p, scale=scale)[0]


def _without_generator(function):
    return lambda *args, generator=None, **kwargs: function(*args, **kwargs)


def _patches():
    """What asks for a GPU that is there; autocast would switch itself off without a word."""
    yield mock.patch('torch.rand', _without_generator(torch.rand))
    yield mock.patch('torch.Generator', FakeGenerator)
    yield mock.patch('torch.cuda.amp.common.amp_definitely_not_available', lambda: False)
    yield mock.patch('torch.cuda.is_bf16_supported', lambda: True)
    yield mock.patch('torch.nn.functional.scaled_dot_product_attention', _flash)
    yield mock.patch('torch.__future__._overwrite_module_params_on_conversion', True)
    yield FakeTensorMode(allow_non_fake_inputs=False)


def forward_bytes(steps, model, batch):
    """Bytes that a forward pass keeps for the backward pass, and its peak."""
    with ExitStack() as stack:
        for patch in _patches():
            stack.enter_context(patch)
        model._apply(lambda t: torch.empty(t.shape, dtype=t.dtype, device='cuda'))
        step = steps.Step(model, batch, autocast=True)
        own = {p.untyped_storage()._cdata for p in (*model.parameters(), *model.buffers())}
        kept = {}

        def note(tensor):
            storage = tensor.untyped_storage()
            if tensor.is_floating_point() and storage._cdata not in own:
                kept[storage._cdata] = storage
            return tensor

        allocator = Allocator()
        allocator._note(step.clips.untyped_storage())
        stack.enter_context(allocator)
        stack.enter_context(torch.autocast(step.device.type, torch.bfloat16))
        stack.enter_context(torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor))
        loss = step.forward()
        assert loss.requires_grad and loss.device.type == 'cuda'
        return sum(storage.nbytes() for storage in kept.values()), allocator.peak


@pytest.mark.parametrize('ratio', [0.75, 0.9])
@pytest.mark.parametrize('checkpointing', [False, True])
def test_a_clip_under_autocast(benchmark_module, ratio, checkpointing):
    steps, memory_model = benchmark_module('steps'), benchmark_module('memory_model')

    def build():
        return steps.build_model(
            grid=SMALL, ratio=ratio, backbone=dict(activation_checkpointing=checkpointing)
        )

    few, many = (forward_bytes(steps, build(), batch) for batch in (1, 2))
    memory = memory_model.step_memory(build(), element=2)
    assert memory.kept == pytest.approx(many[0] - few[0], rel=0.02)
    assert memory.per_clip == pytest.approx(many[1] - few[1], rel=0.02)


def test_vit_b_against_measured_figures(benchmark_module):
    """0.285 GiB at 90 % and 0.339 at 75 %, found by others; by this file 0.2847 and 0.3475."""
    steps, memory_model = benchmark_module('steps'), benchmark_module('memory_model')
    model = steps.build_model()
    for ratio, measured in ((0.9, 0.285), (0.75, 0.339)):
        model.set_phase(model.phase._replace(mask_ratio=ratio), ratio)
        memory = memory_model.step_memory(model, element=2)
        assert memory.per_clip / 2**30 == pytest.approx(measured, rel=0.035)
    casts = memory.fixed - memory_model.step_memory(model).fixed
    assert casts == 2 * sum(p.numel() for p in model.parameters())
