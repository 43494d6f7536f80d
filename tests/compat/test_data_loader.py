"""A loader without workers, whatever else a config says of workers."""

import resource

import pytest
from mmengine.config import ConfigDict
from mmengine.runner import FlexibleRunner, Runner

from pmd_mmaction.compat import data_loader
from tests.compat.interpreter import run_python

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


def test_labels_of_many_batches_do_not_run_out_of_open_files():
    """Six batches wait, as where one worker is slow: 390 files."""
    done = run_python("""
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
import pmd_mmaction
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import default_collate
from torch.utils.data import DataLoader
labels = [dict(data_samples=ActionDataSample().set_gt_label(3)) for _ in range(384)]
print(len(list(DataLoader(labels, 64, num_workers=1, collate_fn=default_collate))), 'batches')
""")
    assert done.stdout == '6 batches\n', done.stderr


@pytest.mark.parametrize(
    'limits, wanted',
    [
        ((1024, 4096), 4096),
        ((1024, 1_000_000), data_loader.OPEN_FILES),
        ((1024, resource.RLIM_INFINITY), data_loader.OPEN_FILES),
        ((1024, 1024), None),
        ((20000, 20000), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_open_files_are_asked_for_where_few_are_allowed(monkeypatch, limits, wanted):
    asked = []
    monkeypatch.setattr(resource, 'getrlimit', lambda kind: limits)
    monkeypatch.setattr(resource, 'setrlimit', lambda kind, new: asked.append(new))
    if data_loader.open_files_are_few():
        data_loader.raise_open_files()
    assert asked == ([] if wanted is None else [(wanted, limits[1])])
