"""Schedules that change on the way, against those of a run that had them from the beginning."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope

from pmd_mmaction.functional import PhaseSchedule
from pmd_mmaction.hooks.checkpoints.batch_change import _rescale
from pmd_mmaction.hooks.checkpoints.schedule_change import adapt_schedulers
from pmd_mmaction.hooks.curriculum.phase_schedulers import phase_schedulers

TWO = (10, 10)


class Run:
    """Optimiser and schedulers of phases that restart, without a model."""

    def __init__(self, epochs, length=4, warmup=0.2, start=1e-3):
        init_default_scope('mmaction')
        self.length, self.step = length, 0
        phases = PhaseSchedule([(0.5 + 0.1 * i, n) for i, n in enumerate(epochs)])
        self.ends = [phase.end * length for phase in phases.phases]
        self.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=1.0)
        known = dict(optimizer=self.optimizer, epoch_length=length)
        configs = phase_schedulers(phases, True, warmup, start, 0.01)
        self.param_schedulers = [PARAM_SCHEDULERS.build(c, default_args=known) for c in configs]
        self.auto_scale_lr = None

    def until(self, epoch):
        """Rate of each iteration up to the end of an epoch."""
        (group,), found = self.optimizer.param_groups, []
        while self.step < epoch * self.length:
            found.append(group['lr'])
            self.optimizer.step()
            self.step += 1
            if self.step in self.ends[:-1]:
                group['lr'] = group['initial_lr']
            for scheduler in self.param_schedulers:
                scheduler.step()
        return found

    def resume(self, other):
        """Goes on where another run stands, as MMEngine's Runner does."""
        epoch = other.step // other.length
        checkpoint = dict(
            meta=dict(epoch=epoch, iter=epoch * self.length),
            optimizer=other.optimizer.state_dict(),
            param_schedulers=[s.state_dict() for s in other.param_schedulers],
        )
        if self.length != other.length:
            _rescale(checkpoint, self, other.length, self.length, 1, False)
        adapt_schedulers(checkpoint, self)
        self.optimizer.load_state_dict(checkpoint['optimizer'])
        for scheduler, state in zip(self.param_schedulers, checkpoint['param_schedulers']):
            scheduler.load_state_dict(state)
        self.step = checkpoint['meta']['iter']


@pytest.mark.parametrize('length', [4, 2, 8])
@pytest.mark.parametrize('epochs', [TWO, (10, 5), (10, 20)])
@pytest.mark.parametrize('stop', [3, 9])
def test_a_phase_to_come_may_have_another_length(epochs, stop, length):
    first, fresh, other = Run(TWO), Run(epochs, length), Run(epochs, length)
    first.until(stop)
    other.resume(first)
    expected = fresh.until(sum(epochs))
    found = other.until(sum(epochs))
    if length == 4:
        assert found == pytest.approx(expected[stop * length :])
    assert found[-(epochs[1] * length) :] == pytest.approx(expected[10 * length :])


def test_what_is_over_is_not_compared():
    first, fresh, other = Run(TWO), Run(TWO, start=0.5), Run(TWO, start=0.5)
    first.until(3)
    other.resume(first)
    assert other.until(20) == pytest.approx(fresh.until(20)[12:])


@pytest.mark.parametrize('epochs', [(10, 5), (10, 20)])
def test_at_its_beginning_a_phase_may_still_be_changed(epochs):
    first, fresh, other = Run(TWO), Run(epochs), Run(epochs)
    first.until(10)
    other.resume(first)
    assert other.until(sum(epochs)) == pytest.approx(fresh.until(sum(epochs))[40:])


@pytest.mark.parametrize('epochs', [(10, 10, 10), (10,)])
def test_phases_to_come_may_be_added_and_left_out(epochs):
    first, fresh, other = Run(TWO), Run(epochs), Run(epochs)
    first.until(3)
    other.resume(first)
    assert other.until(sum(epochs)) == pytest.approx(fresh.until(sum(epochs))[12:])


@pytest.mark.parametrize(
    'stop, other, told',
    [
        (3, Run((12, 10)), 'has begun and is changed: .*T_max'),
        (13, Run((10, 12)), 'has begun and is changed: .*T_max'),
        (10, Run(TWO, start=0.5), 'LinearLR has begun and is changed: start_factor'),
        (10, Run(TWO, warmup=0.0), 'has 4 schedulers, the config makes 2'),
        (20, Run((10, 10, 10)), 'has 4 schedulers, the config makes 6'),
    ],
)
def test_what_has_begun_stays(stop, other, told):
    first = Run(TWO)
    first.until(stop)
    with pytest.raises(ValueError, match=f'{told}.*MMEngine goes on with that of the checkpoint'):
        other.resume(first)


@pytest.mark.parametrize('schedulers', [None, [], {'a': []}, [dict(type='CosineAnnealingLR')]])
def test_where_nothing_is_compared(schedulers):
    first = Run(TWO)
    states = [scheduler.state_dict() for scheduler in first.param_schedulers]
    checkpoint = dict(meta=dict(epoch=0, iter=0), param_schedulers=list(states))
    adapt_schedulers(checkpoint, SimpleNamespace(param_schedulers=schedulers))
    assert checkpoint['param_schedulers'] == states
