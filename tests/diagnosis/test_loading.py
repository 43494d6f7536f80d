"""Enough videos for a batch, enough shared memory for all of them."""

from collections import namedtuple

import pytest

from pmd_mmaction.diagnosis import examine_config
from pmd_mmaction.runner import shared_memory
from tests.integration import tiny

Usage = namedtuple('Usage', 'total used free')
CLIP = 3 * 4 * 32 * 32  # bytes of a clip of 4 frames
WHOLE = dict(type='WholeStepBatchSampler', accumulative_counts=1)
IN_FIVES = '12 videos, 5 per GPU, 1 GPU(s)'
TABLE = 2 * 12 * 2 * 32 * 4


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    return tiny.make_clips(tmp_path_factory.mktemp('clips') / 'demo')


def examine(clips, tmp_path, gpus=1, **loader):
    cfg = tiny.tiny_config(clips, tmp_path)
    cfg.train_dataloader.update(loader)
    return {finding.subject: finding for finding in examine_config(cfg, gpus=gpus)}


@pytest.mark.parametrize(
    'gpus, options, told',
    [
        (1, {}, '12 videos, 4 per GPU, 1 GPU(s): 3 iterations per epoch'),
        (3, {}, '12 videos, 4 per GPU, 3 GPU(s): 1 iterations per epoch'),
        (5, dict(drop_last=False), '12 videos, 4 per GPU, 5 GPU(s): 1 iterations per epoch'),
        (1, dict(drop_last=False, batch_size=5, batch_sampler=WHOLE), f'{IN_FIVES}: 2 iterations'),
    ],
)
def test_enough_videos(clips, tmp_path, gpus, options, told):
    finding = examine(clips, tmp_path, gpus, **options)['batches']
    assert finding.level == 'ok' and finding.found.startswith(told)


@pytest.mark.parametrize('gpus, batch, most', [(1, 13, 12), (4, 4, 3), (8, 64, 2)])
def test_fewer_videos_than_a_batch(clips, tmp_path, gpus, batch, most):
    finding = examine(clips, tmp_path, gpus, batch_size=batch)['batches']
    assert finding.level == 'error'
    assert f'12 videos are not one batch: train_dataloader.batch_size is {batch}' in finding.found
    assert f'{gpus} GPU(s) need {gpus * batch}' in finding.found
    assert f'batch_size to {most} or less' in finding.remedy


@pytest.mark.parametrize(
    'steps, level, told',
    [(2, 'ok', '2 iterations per epoch'), (4, 'error', 'set train_dataloader.batch_size to 3 or')],
)
def test_whole_steps(clips, tmp_path, steps, level, told):
    sampler = dict(type='WholeStepBatchSampler', accumulative_counts=steps)
    finding = examine(clips, tmp_path, drop_last=False, batch_sampler=sampler)['batches']
    assert finding.level == level and told in f'{finding.found}: {finding.remedy}'


@pytest.mark.parametrize(
    'gpus, workers, prefetch, need',
    [
        (1, 0, None, 0),
        (1, 2, None, 2 * 2 * 4 * CLIP),
        (8, 4, 3, 8 * 4 * 3 * 4 * CLIP + TABLE),  # a single process keeps its table for itself
    ],
)
@pytest.mark.parametrize('short', [0, 1])
def test_batches_and_table_against_shared_memory(
    clips, tmp_path, monkeypatch, gpus, workers, prefetch, need, short
):
    usage = Usage(2**40, 0, need - short)
    monkeypatch.setattr(shared_memory.shutil, 'disk_usage', lambda path: usage)
    found = examine(clips, tmp_path, gpus, num_workers=workers, prefetch_factor=prefetch)
    finding = found['shared memory of batches']
    assert finding.level == ('error' if short else 'ok')
    assert f'= {need / 2**30:.2f} GiB per node' in finding.found
    if short:
        assert 'docker: --shm-size=1g' in finding.remedy and 'num_workers' in finding.remedy
        assert ('scratch_dir' in finding.remedy) == (gpus > 1)


def test_a_first_video_that_cannot_be_read(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path)
    (tmp_path / 'a.mp4').write_text('no video')
    (tmp_path / 'list.txt').write_text('a.mp4\n' * 4)
    cfg.train_dataloader.dataset.update(
        ann_file=str(tmp_path / 'list.txt'), data_prefix=dict(video=str(tmp_path))
    )
    found = {finding.subject: finding for finding in examine_config(cfg)}
    assert found['first video'].level == 'warning' and 'a.mp4' in found['first video'].found


@pytest.mark.parametrize('key', ['batch_size', 'num_workers', 'prefetch_factor', 'drop_last'])
def test_nonsense_does_not_end_the_examination(clips, tmp_path, key):
    assert 'batches' in examine(clips, tmp_path, **{key: 'nonsense'})
