"""A loader without workers, whatever else a config says of workers."""

import pytest
from mmengine.config import ConfigDict
from mmengine.runner import FlexibleRunner, Runner

from pmd_mmaction.compat import data_loader

OPTIONS = dict(
    persistent_workers=True, prefetch_factor=4, timeout=5, multiprocessing_context='fork'
)


def _config(**options) -> ConfigDict:
    sampler = dict(type='DefaultSampler', shuffle=False)
    return ConfigDict(dataset=[1, 2, 3], batch_size=2, sampler=sampler, **options)


@pytest.mark.parametrize('kind', [Runner, FlexibleRunner])
@pytest.mark.parametrize('name', OPTIONS)
@pytest.mark.parametrize('workers', [dict(num_workers=0), {}])
def test_without_workers_their_options_are_left_out(kind, name, workers):
    cfg = _config(**{name: OPTIONS[name]}, **workers)
    loader = kind.build_dataloader(cfg, seed=0)
    assert len(list(loader)) == 2
    assert name in cfg  # the config is left as it is


def test_with_workers_they_stay():
    options = dict(OPTIONS, multiprocessing_context=None)
    loader = Runner.build_dataloader(_config(num_workers=1, **options))
    found = loader.persistent_workers, loader.prefetch_factor, loader.timeout
    assert found == (True, 4, 5)


def test_a_loader_that_is_built_is_taken():
    loader = Runner.build_dataloader(_config(num_workers=0))
    assert Runner.build_dataloader(loader) is loader


def test_the_fault_is_there():
    assert data_loader.options_of_workers_are_refused()
