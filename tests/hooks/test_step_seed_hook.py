"""Randomness of an iteration as a function of (seed, epoch, iteration, rank)."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset

from pmd_mmaction.hooks import StepSeedHook, step_seed_hook
from pmd_mmaction.transforms import SeedAugmentation


class Model(torch.nn.Module):
    def seed_masks(self, seed):
        self.seed = seed


class Data(BaseDataset):
    def __init__(self):
        super().__init__(lazy_init=True, metainfo={})
        self.transform = SeedAugmentation()
        self.pipeline = SimpleNamespace(transforms=[print, self.transform])


def _runner(epoch=0, iteration=0, seed=0, dataset=None):
    return SimpleNamespace(
        epoch=epoch,
        iter=iteration,
        seed=seed,
        model=Model(),
        train_dataloader=SimpleNamespace(dataset=Data() if dataset is None else dataset),
    )


def _drawn(**where):
    runner = _runner(**where)
    StepSeedHook().before_train_iter(runner, 0)
    return runner.model.seed, float(torch.rand(()))


def test_equal_iterations_draw_alike():
    first = _drawn(epoch=1, iteration=5)
    torch.rand(7)
    assert _drawn(epoch=1, iteration=5) == first


@pytest.mark.parametrize('other', [dict(seed=1), dict(epoch=1), dict(iteration=1)])
def test_other_iterations_draw_otherwise(other):
    for a, b in zip(_drawn(), _drawn(**other)):
        assert a != b


def test_ranks_draw_otherwise(monkeypatch):
    first = _drawn()
    monkeypatch.setattr(step_seed_hook, 'get_rank', lambda: 1)
    assert first[0] != _drawn()[0]


def test_masks_do_not_follow_the_generator_of_drop_path():
    seed, drawn = _drawn()
    assert float(torch.rand((), generator=torch.Generator().manual_seed(seed))) != drawn


def test_no_seed_counts_as_zero():
    assert _drawn(seed=None) == _drawn(seed=0)


def test_a_model_without_masks_is_accepted():
    runner = _runner()
    runner.model = torch.nn.Identity()
    StepSeedHook().before_train_iter(runner, 0)


@pytest.mark.parametrize(
    'wrap', [lambda data: data, lambda data: RepeatDataset(data, 3, lazy_init=True)]
)
def test_transforms_are_told_the_epoch(wrap):
    data = Data()
    StepSeedHook().before_train_epoch(_runner(epoch=4, seed=7, dataset=wrap(data)))
    assert data.transform._seed_and_epoch.tolist() == [7, 4]


def test_transforms_of_all_parts_are_told_the_epoch():
    parts = [Data(), Data()]
    joined = ConcatDataset(parts, lazy_init=True)
    StepSeedHook().before_train_epoch(_runner(epoch=4, dataset=joined))
    assert [part.transform._seed_and_epoch[1] for part in parts] == [4, 4]


def test_the_base_seed_of_workers_depends_on_the_epoch():
    drawn = []
    for epoch in (0, 1, 0):
        StepSeedHook().before_train_epoch(_runner(epoch=epoch))
        drawn.append(float(torch.rand(())))
    assert drawn[0] == drawn[2] != drawn[1]
