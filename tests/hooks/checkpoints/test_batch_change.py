"""Checkpoints under other batches; whole runs are in tests/integration/test_elastic.py."""

import copy
import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import DataLoader

from pmd_mmaction.hooks.checkpoints import batch_change

SAMPLES, EPOCHS, RATE = 24, 5, 0.4


class Run:
    """What `batch_change` sees of a Runner: warm-up, then a cosine."""

    def __init__(
        self, batch=4, accumulation=1, scale=False, samples=SAMPLES, by_epoch=False, warmup=1
    ):
        self.train_dataloader = DataLoader(range(samples), batch_size=batch)
        self.length = len(self.train_dataloader)
        weight = torch.nn.Parameter(torch.zeros(1))
        self.optimizer = torch.optim.SGD([weight], lr=RATE)
        self.optim_wrapper = SimpleNamespace(
            _accumulative_counts=accumulation, param_groups=self.optimizer.param_groups
        )
        unit = dict(by_epoch=by_epoch)
        epoch = 1 if by_epoch else self.length
        begin, end = warmup * epoch, EPOCHS * epoch
        self.param_schedulers = [
            LinearLR(self.optimizer, start_factor=0.1, begin=0, end=begin, **unit),
            CosineAnnealingLR(self.optimizer, T_max=end - begin, begin=begin, end=end, **unit),
        ]
        self.by_epoch = by_epoch
        self.train_loop = object.__new__(EpochBasedTrainLoop)
        self.auto_scale_lr = dict(enable=scale, base_batch_size=4)
        self.logger = logging.getLogger('batch-change')

    def train(self, epochs):
        """Steps the schedulers; returns the rates after each step."""
        rates = []
        for _ in range(epochs if self.by_epoch else epochs * self.length):
            for scheduler in self.param_schedulers:
                scheduler.step()
            rates.append(self.optimizer.param_groups[0]['lr'])
        return rates

    def save(self, epoch, iteration=None):
        """A checkpoint."""
        return copy.deepcopy(
            dict(
                meta=dict(
                    epoch=epoch, iter=self.length * epoch if iteration is None else iteration
                ),
                optimizer=self.optimizer.state_dict(),
                param_schedulers=[s.state_dict() for s in self.param_schedulers],
                progress=batch_change.batch_arithmetic(self),
            )
        )

    def resume(self, checkpoint):
        """Loads one, as the Runner does after its hooks."""
        batch_change.adapt_checkpoint(checkpoint, self)
        self.optimizer.load_state_dict(checkpoint['optimizer'])
        for scheduler, state in zip(self.param_schedulers, checkpoint['param_schedulers']):
            scheduler.load_state_dict(state)


def _on_ranks(monkeypatch, ranks):
    monkeypatch.setattr(batch_change, 'get_world_size', lambda: ranks)


def test_the_total_batch_counts_ranks_clips_and_accumulation(monkeypatch):
    _on_ranks(monkeypatch, 3)
    assert batch_change.batch_arithmetic(Run(batch=4, accumulation=2)) == dict(
        epoch_length=6, total_batch=24, ranks=3, samples=SAMPLES
    )


@pytest.mark.parametrize('batch', [2, 12])
@pytest.mark.parametrize('scale', [False, True])
@pytest.mark.parametrize('epoch', [1, 3])
def test_rates_go_on_as_if_the_batches_had_always_been_these(batch, scale, epoch):
    old, new, always = Run(), Run(batch, scale=scale), Run(batch)
    old.train(epoch)
    always.train(epoch)
    checkpoint = old.save(epoch)
    new.resume(checkpoint)
    assert checkpoint['meta'] == dict(epoch=epoch, iter=epoch * SAMPLES // batch)
    ratio = batch / 4 if scale else 1
    rates = new.train(EPOCHS - epoch)
    expected = [ratio * rate for rate in always.train(EPOCHS - epoch)]
    assert rates == pytest.approx(expected, abs=1e-9)


def test_schedulers_that_count_epochs_stay():
    old, new = Run(by_epoch=True), Run(2, by_epoch=True)
    old.train(3)
    checkpoint = old.save(3)
    before = copy.deepcopy(checkpoint['param_schedulers'])
    new.resume(checkpoint)
    assert checkpoint['param_schedulers'] == before
    assert checkpoint['meta']['iter'] == 36


@pytest.mark.parametrize('scale', [False, True])
def test_the_implied_rate_is_told(caplog, scale):
    with caplog.at_level(logging.WARNING):
        Run(2, scale=scale).resume(Run().save(1))
    (told,) = caplog.messages
    assert 'Total batch 4 before, 2 now (1 rank(s) before, 1 now); 6 iterations' in told
    assert 'implies a peak learning rate of 0.2 instead of 0.4' in told
    assert ('applied' in told) == scale and ('it stays 0.4' in told) != scale


@pytest.mark.parametrize('iteration', [12, 14])
def test_other_ranks_with_the_same_total_batch_change_nothing(monkeypatch, caplog, iteration):
    checkpoint = Run(4).save(2, iteration)
    checkpoint['progress'].update(ranks=2, total_batch=8)
    before = copy.deepcopy(checkpoint)
    new = Run(4, accumulation=2)
    with caplog.at_level(logging.INFO):
        batch_change.adapt_checkpoint(checkpoint, new)
    assert checkpoint == before
    assert caplog.messages == ['2 rank(s) before, 1 now; the total batch is 8 as before']


def test_another_total_batch_inside_an_epoch_is_refused():
    with pytest.raises(ValueError) as caught:
        Run(2).resume(Run().save(2, 13))
    assert str(caught.value) == (
        'the checkpoint was saved inside epoch 3 with a total batch of 4 in 6 iterations per '
        'epoch, now it is 2 in 12 (1 rank(s) before, 1 now): the rest of the epoch would have '
        'other clips. Resume from a checkpoint at the end of an epoch, or with the old ranks, '
        'total batch (train_dataloader.batch_size) and accumulation'
    )


def test_the_last_iteration_of_an_epoch_is_its_end():
    checkpoint = Run().save(2, 18)  # saved by PreemptionHook before the epoch was counted
    Run(2).resume(checkpoint)
    assert checkpoint['meta'] == dict(epoch=2, iter=36)


def test_other_accumulation_with_the_same_total_batch_changes_the_iterations(caplog):
    checkpoint = Run(8).save(2)
    with caplog.at_level(logging.INFO):
        Run(4, accumulation=2).resume(checkpoint)
    assert checkpoint['meta'] == dict(epoch=2, iter=12)
    assert caplog.messages == [
        '1 rank(s) before, 1 now; 3 iterations per epoch before, 6 now; the total batch is 8 as '
        'before'
    ]


def test_another_data_set_is_refused():
    with pytest.raises(ValueError, match='24 samples, the data set has 20 now.*load_from'):
        Run(samples=20).resume(Run().save(2))


def test_a_checkpoint_of_another_hook_must_be_at_the_end_of_an_epoch():
    for iteration, good in ((12, True), (13, False)):
        checkpoint = Run().save(2, iteration)
        del checkpoint['progress']
        before = copy.deepcopy(checkpoint)
        if good:
            batch_change.adapt_checkpoint(checkpoint, Run())
            assert checkpoint == before
        else:
            with pytest.raises(ValueError, match='after 13 iterations.*has 6 iterations now'):
                batch_change.adapt_checkpoint(checkpoint, Run())


def test_a_loop_of_iterations_is_left_alone():
    new, checkpoint = Run(2), Run().save(2, 13)
    new.train_loop = object.__new__(IterBasedTrainLoop)
    before = copy.deepcopy(checkpoint)
    batch_change.adapt_checkpoint(checkpoint, new)
    assert checkpoint == before


@pytest.mark.parametrize('old, new', [(2, 6), (6, 2), (4, 3), (3, 8)])
@pytest.mark.parametrize('epoch', range(1, EPOCHS))
def test_schedulers_stand_where_those_of_the_new_batches_would(old, new, epoch):
    before, always = Run(old, warmup=2), Run(new, warmup=2)
    before.train(epoch)
    always.train(epoch)
    checkpoint, expected = before.save(epoch), always.save(epoch)
    batch_change.adapt_checkpoint(checkpoint, Run(new, warmup=2))
    for state in (*checkpoint['param_schedulers'], *expected['param_schedulers']):
        del state['_last_value']  # the rate of the step before, of a finer or coarser step
    assert checkpoint['param_schedulers'] == expected['param_schedulers']


def test_every_rate_in_the_checkpoint_is_scaled():
    old = Run()
    old.train(2)
    before = old.save(2)
    after = copy.deepcopy(before)
    batch_change.adapt_checkpoint(after, Run(12, scale=True))
    for key in ('lr', 'initial_lr'):
        rates = [state['optimizer']['param_groups'][0][key] for state in (after, before)]
        assert rates[0] == pytest.approx(3 * rates[1])
    for key in ('base_values', '_last_value'):
        rates = [[s[key] for s in state['param_schedulers']] for state in (after, before)]
        assert rates[0] == [[3 * rate for rate in group] for group in rates[1]]
