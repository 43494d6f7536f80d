"""Epochs of whole optimiser steps."""

import itertools

import pytest
from mmengine.runner import Runner
from torch.utils.data import DataLoader, SequentialSampler

from pmd_mmaction.datasets import WholeStepBatchSampler
from pmd_mmaction.runner.resumable_train_loop import without_first_batches
from tests.every import every

pytestmark = pytest.mark.usefixtures('mmaction_scope')


def make(videos, steps, batch=3):
    return WholeStepBatchSampler(SequentialSampler(range(videos)), batch, steps)


@every('case', itertools.product([0, 2, 3, 11, 12, 24, 35], [1, 2, 3, 4]))
def test_whole_batches_of_whole_steps(case):
    videos, steps = case
    found = list(make(videos, steps))
    whole = videos // 3 // steps * steps
    assert found == [[3 * i, 3 * i + 1, 3 * i + 2] for i in range(whole)]
    assert len(make(videos, steps)) == whole


@pytest.mark.parametrize('done', [0, 1, 2, 3, 4])
def test_the_rest_of_an_epoch_ends_where_the_whole_would(done):
    loader = DataLoader(range(17), batch_sampler=make(17, 2))  # 4 of 5 whole batches
    with without_first_batches(loader, done) as rest:
        found = [batch.tolist() for batch in rest]
    assert found == [batch.tolist() for batch in loader][done:]
    assert len(found) == 4 - done


def test_the_runner_builds_it(tmp_path):
    (tmp_path / 'list.txt').write_text('a.mp4\nb.mp4\n')
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=0,
            batch_sampler=dict(type='WholeStepBatchSampler', accumulative_counts=2),
            sampler=dict(type='DefaultSampler', shuffle=True),
            dataset=dict(type='PathListDataset', ann_file=str(tmp_path / 'list.txt'), pipeline=[]),
        ),
        seed=0,
    )
    assert isinstance(loader.batch_sampler, WholeStepBatchSampler)


@pytest.mark.parametrize('options', [dict(accumulative_counts=0), dict(accumulative_counts=1.5)])
def test_what_is_no_number_of_batches(options):
    with pytest.raises(ValueError, match='WholeStepBatchSampler: accumulative_counts is'):
        WholeStepBatchSampler(SequentialSampler(range(4)), 2, **options)
