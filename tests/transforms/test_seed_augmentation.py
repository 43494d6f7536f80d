"""Augmentation is a function of (seed, epoch, sample)."""

import random

import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader, Dataset

from pmd_mmaction.transforms import SeedAugmentation


def _draw():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def _drawn(seed=0, epoch=0, sample=0):
    transform = SeedAugmentation()
    transform.set_epoch(seed, epoch)
    transform(dict(sample_idx=sample))
    return _draw()


class Noise(Dataset):
    """What each sample draws after SeedAugmentation."""

    def __init__(self):
        self.transform = SeedAugmentation()

    def __len__(self):
        return 8

    def __getitem__(self, index):
        _draw()  # history, which must not matter
        self.transform(dict(sample_idx=index))
        return index, torch.tensor(_draw(), dtype=torch.float64)


def _epoch(loader, epoch):
    loader.dataset.transform.set_epoch(0, epoch)
    return {
        int(i): tuple(x.tolist()) for indices, values in loader for i, x in zip(indices, values)
    }


def _loader(workers, **options):
    return DataLoader(Noise(), batch_size=2, shuffle=True, num_workers=workers, **options)


def test_equal_keys_draw_alike_whatever_came_before():
    expected = _drawn(1, 2, 3)
    _draw()
    assert _drawn(1, 2, 3) == expected


@pytest.mark.parametrize('other', [dict(seed=1), dict(epoch=1), dict(sample=1)])
def test_each_generator_depends_on_each_key(other):
    for a, b in zip(_drawn(), _drawn(**other)):
        assert a != b


def test_epoch_and_sample_are_not_mixed_up():
    assert _drawn(epoch=1, sample=2) != _drawn(epoch=2, sample=1)


@pytest.fixture(scope='module')
def expected():
    """Two epochs without workers."""
    loader = _loader(0)
    return [_epoch(loader, epoch) for epoch in (0, 1)]


def test_epochs_differ(expected):
    assert expected[0].keys() == expected[1].keys() == set(range(8))
    assert not set(expected[0].values()) & set(expected[1].values())


@pytest.mark.parametrize(
    'workers, persistent, start',
    [
        (1, False, 'fork'),
        (1, True, 'fork'),
        (2, False, 'fork'),
        (2, True, 'fork'),
        (1, True, 'spawn'),  # one way is enough for the slow start
    ],
)
def test_workers_draw_what_the_main_process_draws(expected, workers, persistent, start):
    loader = _loader(workers, persistent_workers=persistent, multiprocessing_context=start)
    assert [_epoch(loader, epoch) for epoch in (0, 1)] == expected


def test_results_pass_unchanged():
    results = dict(sample_idx=3, filename='a.mp4')
    transform = SeedAugmentation()
    transform.set_epoch(0, 0)
    assert transform(dict(results)) == results


def test_before_any_epoch_is_told_nothing_is_seeded():
    drawn = []
    for _ in range(2):
        with pytest.warns(UserWarning, match='StepSeedHook'):
            SeedAugmentation()(dict(sample_idx=3))
        drawn.append(_draw())
    assert drawn[0] != drawn[1]


def test_it_is_registered_and_names_itself():
    init_default_scope('mmaction')
    assert repr(TRANSFORMS.build(dict(type='SeedAugmentation'))) == ('SeedAugmentation()')


def test_data_without_an_index_are_refused():
    transform = SeedAugmentation()
    transform.set_epoch(0, 0)
    with pytest.raises(KeyError, match='sample_idx'):
        transform({})
