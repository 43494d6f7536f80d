"""A checkpoint translated to another total batch: where a run of the new batches would stand."""

import logging
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from pmd_mmaction.hooks import batch_change

SAMPLES, WARMUP, EPOCHS = 24, 2, 6


class Run:
    """What adapt_checkpoint reads of a Runner."""

    def __init__(self, batch: int, scale: bool = False) -> None:
        self.train_loop = object.__new__(EpochBasedTrainLoop)
        self.train_dataloader = DataLoader(range(SAMPLES), batch_size=batch)
        self.auto_scale_lr = dict(enable=scale)
        self.logger = logging.getLogger('test')
        self.length = length = len(self.train_dataloader)
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
        self.optim_wrapper = SimpleNamespace(param_groups=optimizer.param_groups)
        common = dict(by_epoch=False)
        self.param_schedulers = [
            LinearLR(optimizer, start_factor=0.1, end=WARMUP * length, **common),
            CosineAnnealingLR(optimizer, begin=WARMUP * length, end=EPOCHS * length, **common),
        ]

    def after(self, iterations: int) -> dict:
        """Its checkpoint after so many iterations."""
        for _ in range(iterations):
            for scheduler in self.param_schedulers:
                scheduler.step()
        groups = [{k: v for k, v in g.items() if k != 'params'} for g in self._groups]
        return {
            'meta': dict(epoch=iterations // self.length, iter=iterations),
            'optimizer': dict(param_groups=groups),
            'param_schedulers': [s.state_dict() for s in self.param_schedulers],
            batch_change.KEY: batch_change.measure(self),
        }

    @property
    def _groups(self) -> list[dict]:
        return self.optim_wrapper.param_groups


def _place(state: dict) -> dict:
    """A scheduler's state without the rates."""
    return {k: v for k, v in state.items() if k not in ('base_values', '_last_value')}


@pytest.mark.parametrize('old, new', [(2, 6), (6, 2), (4, 3), (3, 8)])
@pytest.mark.parametrize('epoch', range(1, EPOCHS))
def test_schedulers_stand_where_those_of_the_new_batches_would(old, new, epoch):
    run = Run(new)
    checkpoint = Run(old).after(epoch * SAMPLES // old)
    batch_change.adapt_checkpoint(checkpoint, run)
    fresh = Run(new).after(epoch * SAMPLES // new)
    assert checkpoint['meta'] == fresh['meta']
    states = zip(checkpoint['param_schedulers'], fresh['param_schedulers'])
    assert all(_place(state) == _place(expected) for state, expected in states)


@pytest.mark.parametrize('scale, factor', [(False, 1), (True, 3)])
def test_rates_follow_the_batch_if_asked_to(scale, factor):
    checkpoint = Run(2).after(3 * 12)
    (before,) = checkpoint['optimizer']['param_groups']
    rates = {key: before[key] for key in ('lr', 'initial_lr')}
    cosine = dict(checkpoint['param_schedulers'][1])
    batch_change.adapt_checkpoint(checkpoint, Run(6, scale))
    (after,) = checkpoint['optimizer']['param_groups']
    assert {key: after[key] for key in rates} == {k: factor * v for k, v in rates.items()}
    for key in ('base_values', '_last_value'):
        assert checkpoint['param_schedulers'][1][key] == [factor * x for x in cosine[key]]


def test_the_same_batch_changes_nothing():
    checkpoint = Run(4).after(7)  # inside an epoch
    meta = dict(checkpoint['meta'])
    batch_change.adapt_checkpoint(checkpoint, Run(4))
    assert checkpoint['meta'] == meta


def test_inside_an_epoch_another_batch_is_refused():
    with pytest.raises(ValueError, match='saved inside epoch 2 with a total batch of 4, now it is'):
        batch_change.adapt_checkpoint(Run(4).after(7), Run(2))


@pytest.mark.parametrize('iteration, fits', [(12, True), (13, False)])
def test_a_checkpoint_of_another_hook_needs_the_same_epochs(iteration, fits):
    checkpoint = Run(2).after(12)
    del checkpoint[batch_change.KEY]
    checkpoint['meta']['iter'] = iteration
    with nullcontext() if fits else pytest.raises(ValueError, match='an epoch has 12 iterations'):
        batch_change.adapt_checkpoint(checkpoint, Run(2))


def test_other_ranks_with_the_same_total_batch_are_told(caplog):
    checkpoint = Run(4).after(6)
    checkpoint[batch_change.KEY]['ranks'] = 2
    with caplog.at_level('INFO', 'test'):
        batch_change.adapt_checkpoint(checkpoint, Run(4))
    assert '2 rank(s) before, 1 now; the total batch is 4 as before' in caplog.text
    assert checkpoint['meta']['iter'] == 6


def test_a_scheduler_that_counts_epochs_is_left_alone():
    run, checkpoint = Run(2), Run(4).after(6)
    checkpoint['param_schedulers'][1]['by_epoch'] = True
    cosine = dict(checkpoint['param_schedulers'][1])
    batch_change.adapt_checkpoint(checkpoint, run)
    assert checkpoint['param_schedulers'][1] == cosine
