"""What two ranks send in a training through the Runner, and when: read from torch's profiler."""

from pathlib import Path

import pytest
import torch
from torch.profiler import profile

from tests.integration import processes, tiny

ITERATIONS = 8  # two phases of two epochs


def _record(clips: Path, out: Path, accumulation: int) -> None:
    """Trains and writes down the events of rank 0, in order: (name, shapes, start, end)."""
    cfg = tiny.tiny_config(
        clips,
        out / 'run',
        ratios=(0.5, 0.8),
        epochs=2,
        launcher='pytorch',
        train_dataloader__batch_size=3,
        optim_wrapper__accumulative_counts=accumulation,
        # Buckets small enough for several of them
        model_wrapper_cfg=dict(
            type='MMDistributedDataParallel', broadcast_buffers=False, bucket_cap_mb=0.1
        ),
    )
    runner = tiny.build(cfg)
    with profile(record_shapes=True) as recorded:
        tiny.finish(runner)
    if torch.distributed.get_rank():
        return
    events = [
        (event.name, event.input_shapes, event.time_range.start, event.time_range.end)
        for event in recorded.events()
        if event.name.startswith(
            ('gloo:', 'c10d::allreduce', 'autograd::engine', 'Distributed', 'Optimizer.step')
        )
    ]
    parameters = sum(p.numel() for p in runner.model.module.parameters() if p.requires_grad)
    torch.save((parameters, sorted(events, key=lambda event: event[2])), out / 'events.pth')


class Iteration:
    """The events of an iteration, from the start of its forward pass to that of the next."""

    def __init__(self, events: list[tuple]) -> None:
        self.events = events
        self.forward_end = events[0][3]
        self.backward = [event for event in events if event[0].startswith('autograd::engine')]

    def sent(self, name: str) -> list[tuple]:
        return [event for event in self.events if event[0] == f'gloo:{name}']

    @property
    def buckets(self) -> list[tuple]:
        """Sums of gradients; one or two numbers are flags of other hooks."""
        reduced = self.sent('all_reduce')
        return [event for event in reduced if torch.Size(event[1][0]).numel() > 2]

    @property
    def has_step(self) -> bool:
        return any(event[0].startswith('Optimizer.step') for event in self.events)


def _iterations(out: Path) -> tuple[int, list[Iteration]]:
    parameters, events = tiny.read_checkpoint(out / 'events.pth')
    starts = [i for i, event in enumerate(events) if event[0] == 'DistributedDataParallel.forward']
    ends = [*starts[1:], len(events)]
    return parameters, [Iteration(events[start:end]) for start, end in zip(starts, ends)]


@pytest.fixture(scope='module', params=[1, 2])
def recorded(request, clips, tmp_path_factory):
    """Steps per update, parameters, iterations.

    DDP sorts its buckets anew before the forward pass that follows the first update, and agrees
    on them by a broadcast. The iterations up to that one are left out.
    """
    out = tmp_path_factory.mktemp('communication')
    processes.run_ranks(_record, out / 'log', clips, out, request.param)
    parameters, iterations = _iterations(out)
    assert len(iterations) == ITERATIONS
    return request.param, parameters, iterations[2 * request.param :]


def test_the_forward_pass_sends_nothing(recorded):
    for iteration in recorded[2]:
        assert not [
            event
            for event in iteration.events
            if event[0].startswith('gloo:') and event[2] < iteration.forward_end
        ]


def test_buffers_are_not_broadcast(recorded):
    assert not any(iteration.sent('broadcast') for iteration in recorded[2])


def test_gradients_are_sent_once_per_update(recorded):
    accumulation, parameters, iterations = recorded
    for number, iteration in enumerate(iterations, 1):
        updates = number % accumulation == 0
        assert iteration.has_step == updates
        sent = sum(torch.Size(shapes[0]).numel() for _, shapes, *_ in iteration.buckets)
        assert sent == (parameters if updates else 0)


def test_buckets_leave_while_the_backward_pass_goes_on(recorded):
    for iteration in recorded[2]:
        if not iteration.has_step:
            continue
        assert len(iteration.buckets) > 2
        launched = [event[2] for event in iteration.events if event[0].startswith('c10d::allred')]
        assert len([e for e in iteration.backward if e[2] > launched[0]]) > 50


def test_the_table_costs_two_gathers_and_no_barrier(recorded):
    for number, iteration in enumerate(recorded[2]):
        gathered = [shapes[0] for _, shapes, *_ in iteration.sent('all_gather')]
        # Object gathers of other hooks are one-dimensional.
        assert [shape for shape in gathered if len(shape) > 1] == [[3, 2], [3, 2, tiny.PATCHES]]
        if number % 2 == 0:  # the others end an epoch, which has barriers of its own
            assert not iteration.sent('barrier')
