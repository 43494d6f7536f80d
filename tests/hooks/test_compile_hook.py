"""A compiled run: one graph per phase, and the weights of a plain one."""

from pathlib import Path

import pytest
import torch

from pmd_mmaction.hooks import CompileHook
from tests.integration import processes, tiny

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


def _compile_on_two_ranks(clips: Path, work_dir: Path) -> None:
    """Buckets of 10 KB, where the model has some hundred."""
    torch.distributed._DEFAULT_FIRST_BUCKET_BYTES = 1
    short = dict(ratios=(0.5,), epochs=2, model__clfa=None, launcher='pytorch')
    short |= dict(train_dataloader__batch_size=2)
    weights = []
    for compiled in (False, True):
        hook = dict(type='CompileHook', backend='noted') if compiled else None
        cfg = tiny.tiny_config(
            clips, work_dir / str(compiled), default_hooks__compile=hook, **short
        )
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel', broadcast_buffers=False, bucket_cap_mb=0.01
        )
        weights.append(tiny.train(cfg).model.module.state_dict())
    assert len(graphs) > 1  # so gradients are reduced while others are computed
    assert tiny.same(*map(dict, weights))


def test_with_several_ranks_the_graph_is_split_at_the_buckets(clips, tmp_path):
    processes.run_ranks(_compile_on_two_ranks, tmp_path / 'log', clips, tmp_path)


def test_a_model_without_distill_is_refused():
    class FakeRunner:
        model = torch.nn.Linear(1, 1)

    with pytest.raises(TypeError, match=r'distill\(\), as PMDRecognizer has it, .* is a Linear'):
        CompileHook().before_train(FakeRunner())
