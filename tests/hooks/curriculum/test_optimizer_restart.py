"""The restart of optimiser and learning rate."""

from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmengine.optim import (
    CosineAnnealingLR,
    LinearLR,
    OptimWrapper,
    OptimWrapperDict,
    ZeroRedundancyOptimizer,
)

from pmd_mmaction.hooks.curriculum.optimizer_restart import (
    check_coverage,
    check_restartable,
    restart_optimizer,
)


@pytest.fixture
def wrapper():
    layers = [torch.nn.Linear(2, 2) for _ in range(2)]
    groups = [dict(params=layer.parameters(), lr=lr) for layer, lr in zip(layers, (0.1, 0.2))]
    return OptimWrapper(torch.optim.AdamW(groups))


def _runner(wrapper, schedulers):
    return SimpleNamespace(
        optim_wrapper=wrapper, param_schedulers=schedulers, train_dataloader=range(5)
    )


def test_moments_are_forgotten_and_rates_go_back(wrapper):
    groups = wrapper.optimizer.param_groups
    for group in groups:
        group['initial_lr'] = group['lr']
        group['lr'] = 1e-6
    loss = sum(p.sum() for group in groups for p in group['params'])
    wrapper.update_params(loss)
    assert wrapper.optimizer.state
    restart_optimizer(wrapper)
    assert not wrapper.optimizer.state
    assert [group['lr'] for group in groups] == [0.1, 0.2]


def test_without_schedulers_the_rates_stay(wrapper):
    restart_optimizer(wrapper)
    assert [group['lr'] for group in wrapper.optimizer.param_groups] == [0.1, 0.2]


@pytest.mark.parametrize('begin, end, crosses', [(0, 4, False), (4, 8, False), (0, 5, True)])
@pytest.mark.parametrize('by_epoch', [True, False])
def test_only_schedules_across_a_boundary_are_refused(wrapper, begin, end, crosses, by_epoch):
    unit = 1 if by_epoch else 5
    scheduler = LinearLR(
        wrapper, start_factor=0.1, begin=begin * unit, end=end * unit, by_epoch=by_epoch
    )
    if not crosses:
        check_restartable(_runner(wrapper, [scheduler]), [4])
        return
    with pytest.raises(ValueError, match='LinearLR runs across epoch 4.*restart=False'):
        check_restartable(_runner(wrapper, [scheduler]), [4])


def test_schedules_converted_to_iterations_are_understood(wrapper):
    def build(end):
        return CosineAnnealingLR.build_iter_from_epoch(
            wrapper, begin=1, end=end, T_max=end - 1, by_epoch=True, epoch_length=5
        )

    check_restartable(_runner(wrapper, [build(4)]), [4])
    with pytest.raises(ValueError, match='CosineAnnealingLR runs across epoch 4'):
        check_restartable(_runner(wrapper, [build(5)]), [4])


def test_a_schedule_without_end_is_refused(wrapper):
    with pytest.raises(ValueError, match='LinearLR runs across epoch 4'):
        check_restartable(_runner(wrapper, [LinearLR(wrapper, start_factor=0.1)]), [4, 8])


@pytest.mark.parametrize('schedulers', [None, [], {}])
def test_no_schedules_are_accepted(wrapper, schedulers):
    check_restartable(_runner(wrapper, schedulers), [4])


def test_schedules_in_a_dict_are_seen(wrapper):
    with pytest.raises(ValueError, match='runs across'):
        check_restartable(_runner(wrapper, dict(a=[LinearLR(wrapper, start_factor=0.1)])), [4])


def test_several_optimizers_are_refused(wrapper):
    with pytest.raises(TypeError, match='OptimWrapperDict.*restart=False'):
        check_restartable(_runner(OptimWrapperDict(a=wrapper), None), [4])


@pytest.mark.parametrize(
    'spans, gap',
    [
        ([(0, 4), (4, 8)], None),
        ([], None),  # a constant learning rate
        ([(0, 2), (2, 4), (4, 8)], None),
        ([(0, 4)], 'none begins at epoch 4'),
        ([(0, 2), (2, 4), (4, 7)], 'they end at epoch 7 of 8'),
    ],
)
def test_schedulers_that_do_not_cover_the_phases_are_refused(wrapper, spans, gap):
    schedulers = [LinearLR(wrapper, start_factor=0.1, begin=b, end=e) for b, e in spans]
    if gap is None:
        check_coverage(_runner(wrapper, schedulers), [0, 4], 8)
        return
    with pytest.raises(ValueError, match=gap):
        check_coverage(_runner(wrapper, schedulers), [0, 4], 8)


def test_an_optimizer_that_hides_its_moments_is_refused(tmp_path):
    dist.init_process_group('gloo', f'file://{tmp_path}/store', rank=0, world_size=1)
    try:
        parameters = torch.nn.Linear(2, 2).parameters()
        wrapper = OptimWrapper(ZeroRedundancyOptimizer(parameters, 'AdamW', lr=0.1))
        with pytest.raises(TypeError, match=r'moments of ZeroRedundancyOptimizer.*plain optimizer'):
            check_restartable(_runner(wrapper, None), [4])
    finally:
        dist.destroy_process_group()


def test_left_over_gradients_do_not_reach_the_next_phase(wrapper):
    weight = wrapper.optimizer.param_groups[0]['params'][0]
    weight.grad = torch.ones_like(weight)
    restart_optimizer(wrapper)
    assert weight.grad is None
