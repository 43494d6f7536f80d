"""Substitutes of videos that cannot be read."""

import errno
import re

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmaction.structures import ActionDataSample
from torch.utils.data import DataLoader

from pmd_mmaction.datasets import bad_videos
from pmd_mmaction.datasets.read_error import is_passing
from pmd_mmaction.readers.video_stream import VideoError

pytestmark = pytest.mark.usefixtures('mmaction_scope')
BAD = (2, 3, 7)


class Read:
    """A pipeline for videos whose names tell what they are."""

    def __call__(self, results):
        np.random.rand()  # worker history, which must not matter
        name = results['filename']
        if name.startswith('bad'):
            raise OSError(f'{name} is damaged\nstack trace')
        if name.startswith('none'):
            return None
        meta = dict(sample_idx=results['sample_idx'], filename=name)
        return dict(inputs=torch.zeros(1), data_samples=ActionDataSample(metainfo=meta))


def _dataset(tmp_path, names=None, **options):
    names = names or [f'{"bad" if i in BAD else "good"}_{i}' for i in range(20)]
    (tmp_path / 'list.txt').write_text('\n'.join(names))
    options = dict(data_prefix=dict(video=''), pipeline=[Read()]) | options
    return DATASETS.build(
        dict(type='PathListDataset', ann_file=str(tmp_path / 'list.txt'), **options)
    )


def _chosen(dataset, seed=0, epoch=0):
    dataset.substitute_bad_videos(seed, epoch)
    return [dataset[i]['data_samples'].sample_idx for i in range(len(dataset))]


def test_a_substitute_is_a_sample_of_its_own_and_tells_what_it_stands_for(tmp_path):
    dataset = _dataset(tmp_path)
    dataset.substitute_bad_videos(0, 0)
    for i in range(20):
        sample = dataset[i]['data_samples']
        assert sample.filename == f'good_{sample.sample_idx}'
        if i in BAD:
            told = dict(sample.bad_videos)
            assert told[f'bad_{i}'] == f'OSError: bad_{i} is damaged'
            assert all(name.startswith('bad') for name in told)
        else:
            assert sample.sample_idx == i and 'bad_videos' not in sample.metainfo


@pytest.mark.parametrize('failures, read', [(3, True), (4, False)])
def test_an_error_of_the_disk_is_no_bad_video(tmp_path, monkeypatch, failures, read):
    """As a server that does not answer for some seconds."""
    pauses, calls = [], []  # no file of that name can be read
    monkeypatch.setattr(bad_videos.time, 'sleep', pauses.append)

    class Answer(Read):
        def __call__(self, results):
            calls.append(results['filename'])
            if len(calls) <= failures:
                raise VideoError('good_5: Input/output error') from OSError(errno.EIO, 'in/out')
            return super().__call__(results)

    dataset = _dataset(tmp_path, pipeline=[Answer()])
    dataset.substitute_bad_videos(0, 0)
    sample = dataset[5]['data_samples']
    assert pauses == [0.5, 2.0, 8.0] and calls[:4] == ['good_5'] * 4
    assert (sample.sample_idx == 5) == read == ('bad_videos' not in sample)


def test_what_may_pass(tmp_path):
    there = tmp_path / 'a.mp4'
    there.touch()
    for error in (MemoryError(), OSError(errno.ESTALE, 'stale')):
        assert is_passing(error, str(there))
    for other in (None, ValueError('x'), OSError(errno.ENOENT, 'gone'), OSError('no number')):
        assert not is_passing(other, str(there))
    assert not is_passing(OSError(errno.EIO, 'FFmpeg says so'), str(there))
    assert is_passing(OSError(errno.EIO, 'the disk says so'), str(tmp_path / 'gone.mp4'))


def test_the_substitute_is_a_function_of_seed_epoch_and_index(tmp_path):
    dataset = _dataset(tmp_path)
    expected = _chosen(dataset)
    np.random.rand(5)
    assert _chosen(dataset) == expected
    assert len({expected[i] for i in BAD}) > 1
    for other in (dict(seed=1), dict(epoch=1)):
        assert _chosen(dataset, **other) != expected


@pytest.mark.parametrize('persistent', [False, True])
def test_workers_take_the_same_substitutes_in_every_epoch(tmp_path, persistent):
    dataset = _dataset(tmp_path)
    loader = DataLoader(
        dataset, num_workers=2, persistent_workers=persistent, collate_fn=lambda batch: batch[0]
    )
    for epoch in (0, 1):
        expected = _chosen(dataset, epoch=epoch)
        assert [sample['data_samples'].sample_idx for sample in loader] == expected


@pytest.mark.parametrize('on, test_mode', [(False, False), (False, True), (True, True)])
def test_without_the_hook_and_in_evaluation_a_bad_video_is_an_error(tmp_path, on, test_mode):
    dataset = _dataset(tmp_path, test_mode=test_mode)
    if on:
        dataset.substitute_bad_videos(0, 0)
    dataset[0]
    with pytest.raises(RuntimeError, match=r"cannot read 'bad_2': OSError.*\n.*check_videos"):
        dataset[2]


def test_when_no_substitute_can_be_read_all_are_listed(tmp_path):
    dataset = _dataset(tmp_path, [f'bad_{i}' for i in range(20)], max_substitutes=3)
    dataset.substitute_bad_videos(0, 0)
    with pytest.raises(RuntimeError, match='Neither can 3 others') as error:
        dataset[0]
    tried = re.findall(r"'bad_\d+'", str(error.value))
    assert len(tried) == 4 and len(set(tried)) > 2
    assert str(error.value).count('is damaged') == 4 and 'data_prefix' in str(error.value)
    assert isinstance(error.value.__cause__, OSError)


def test_a_pipeline_that_gives_nothing_counts_as_bad(tmp_path):
    dataset = _dataset(tmp_path, ['none', 'good'], max_substitutes=30)
    dataset.substitute_bad_videos(0, 0)
    assert dataset[0]['data_samples'].bad_videos[0][0] == 'none'


@pytest.mark.parametrize('wrong', [-1, 1.5, None])
def test_a_wrong_number_of_substitutes_is_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match='max_substitutes is'):
        _dataset(tmp_path, max_substitutes=wrong)


class Step:
    """Acts as one of decord's steps, by which RepeatAugDataset knows them."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f'{self.name}()'

    def __call__(self, results):
        if self.name == 'DecordInit' and results['filename'].startswith('bad'):
            raise OSError('damaged')
        return dict(results, total_frames=1, frame_inds=np.zeros(1, int), imgs=[0] * 2)


def test_repeated_augmentation_repeats_the_substitute(tmp_path):
    steps = [Step('DecordInit'), Step('SampleFrames'), Step('DecordDecode'), Read()]
    (tmp_path / 'list.txt').write_text('bad 0\ngood 1\nfine 2')
    cfg = dict(type='RepeatAugPathListDataset', num_repeats=2, max_substitutes=30)
    dataset = DATASETS.build(dict(cfg, ann_file=str(tmp_path / 'list.txt'), pipeline=steps))
    dataset.substitute_bad_videos(0, 0)
    first, second = (item['data_samples'] for item in dataset[0])
    assert first.sample_idx == second.sample_idx != 0
    assert first.bad_videos[0] == ('bad', 'OSError: damaged')
    assert 'bad_videos' not in second.metainfo
