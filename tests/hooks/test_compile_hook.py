"""A compiled run: one graph per phase, and the weights of a plain one."""

import pytest
import torch

from pmd_mmaction.hooks import CompileHook
from tests.integration import tiny

graphs = []


@torch._dynamo.register_backend(name='noted')
def _noted(graph, inputs):
    """Runs a graph as it is and notes it."""
    graphs.append(graph)
    return graph.forward


def test_a_compiled_run_gives_the_same_weights(clips, tmp_path):
    short = dict(ratios=(0.5, 0.7), epochs=2, model__clfa=None)
    graphs.clear()
    plain = tiny.train(tiny.tiny_config(clips, tmp_path / 'plain', **short))
    assert graphs == []
    hook = dict(type='CompileHook', backend='noted')
    cfg = tiny.tiny_config(clips, tmp_path / 'compiled', default_hooks__compile=hook, **short)
    compiled = tiny.train(cfg)
    assert len(graphs) == 2  # without and with the auxiliary teacher
    assert tiny.same(compiled.model.state_dict(), plain.model.state_dict())
    assert 'distill' not in vars(compiled.model)


def test_a_model_without_distill_is_refused():
    class FakeRunner:
        model = torch.nn.Linear(1, 1)

    with pytest.raises(TypeError, match=r'distill\(\), as PMDRecognizer has it, .* is a Linear'):
        CompileHook().before_train(FakeRunner())
