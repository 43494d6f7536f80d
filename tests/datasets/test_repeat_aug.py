"""Several clips of a video from one decoding."""

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, TRANSFORMS
from mmcv.transforms import BaseTransform
from scipy.stats import chi2_contingency
from torch.utils.data import DataLoader

from pmd_mmaction.readers.video_reader import VideoReader
from tests.tools.videos import write_video

pytestmark = pytest.mark.usefixtures('mmaction_scope')
OURS = dict(type='VideoInit'), dict(type='VideoDecode')
STEPS = {'ours': OURS, 'of mmaction': (dict(type='DecordInit'), dict(type='DecordDecode'))}
PACK = [
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('sample_idx',)),
]
RANDOM_CROP = [
    dict(type='MultiScaleCrop', input_size=32, scales=(1, 0.66), max_wh_scale_gap=1),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
]


@pytest.fixture(scope='module')
def video_path(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp('videos') / 'a.mp4', 40)


def build(video_path, steps, kind='RepeatAugPathListDataset', names=('a.mp4 3',), **options):
    listed = video_path.parent / f'{len(names)}.txt'
    listed.write_text('\n'.join(names))
    folder = dict(video=str(video_path.parent))
    return DATASETS.build(
        dict(type=kind, ann_file=str(listed), data_prefix=folder, pipeline=steps, **options)
    )


def plain(first, last):
    return [first, dict(type='SampleFrames', clip_len=4, frame_interval=3), last, *PACK]


def pre_training(*first):
    """Begins as the shipped pipeline does."""
    sample = dict(type='SampleFrames', clip_len=4, frame_interval=3)
    return [*first, dict(type='RequireFrames', minimum=2), sample, OURS[1], *RANDOM_CROP, *PACK]


def test_frames_are_sampled_right_before_they_are_decoded(video_path):
    """Else all clips would be the same."""
    first, last = OURS
    sample = dict(type='SampleFrames', clip_len=4)
    steps = [first, sample, dict(type='RequireFrames', minimum=2), last, *PACK]
    with pytest.raises(ValueError, match='SampleFrames samples frames, but RequireFrames comes'):
        build(video_path, steps)
    clips = build(video_path, steps, sample_once=True)[0]
    assert torch.equal(clips[0]['inputs'], clips[1]['inputs'])


@pytest.mark.parametrize('steps', STEPS.values(), ids=STEPS)
def test_each_clip_samples_its_frames(video_path, steps):
    np.random.seed(0)
    clips = build(video_path, plain(*steps), num_repeats=3)[0]
    assert [int(clip['data_samples'].gt_label) for clip in clips] == [3, 3, 3]
    assert [clip['data_samples'].sample_idx for clip in clips] == [0, 0, 0]
    assert clips[0]['inputs'].shape == (1, 3, 4, 48, 64)
    assert not torch.equal(clips[0]['inputs'], clips[1]['inputs'])
    once = build(video_path, plain(*steps), num_repeats=2, sample_once=True)[0]
    assert torch.equal(once[0]['inputs'], once[1]['inputs'])


def test_other_pipelines_are_refused(video_path):
    for first, last in ((OURS[0], dict(type='DecordDecode')), (dict(type='Flip'), OURS[1])):
        with pytest.raises(ValueError, match='repeated augmentation needs VideoInit'):
            build(video_path, plain(first, last))
    with pytest.raises(ValueError, match='repeated augmentation needs VideoInit'):
        build(video_path, [*OURS])
    with pytest.raises(ValueError, match='num_repeats is 0'):
        build(video_path, plain(*OURS), num_repeats=0)


def test_a_video_is_read_once(video_path, monkeypatch):
    calls, read = [], VideoReader.read
    monkeypatch.setattr(
        VideoReader, 'read', lambda self, numbers: calls.append(len(numbers)) or read(self, numbers)
    )
    build(video_path, plain(*OURS), num_repeats=4)[0]
    assert calls == [16]


# ---------------------------------------------------------------------- distribution


@TRANSFORMS.register_module(force=True)
class NoteDraws(BaseTransform):
    """Gives what was drawn for a clip: first frame, crop, flip."""

    def transform(self, results):
        left, top, *_ = results['crop_quadruple']
        return dict(
            drawn=(int(results['frame_inds'][0]), round(9 * left + 99 * top), results['flip'])
        )


def same_distribution(a, b):
    values = sorted({*a, *b})
    return chi2_contingency([[x.count(v) for v in values] for x in (a, b)]).pvalue > 1e-3


def test_every_clip_is_drawn_as_without_repeats(video_path, tmp_path):
    small = write_video(tmp_path / 'a.mp4', 8)
    steps = [*plain(*OURS)[:3], *RANDOM_CROP, dict(type='NoteDraws')]
    steps[1] = dict(type='SampleFrames', clip_len=2, frame_interval=2)
    np.random.seed(0)
    single = build(small, steps, kind='PathListDataset')
    stock = [single[0]['drawn'] for _ in range(500)]
    repeated = build(small, steps, num_repeats=2)
    first, second = zip(*([clip['drawn'] for clip in repeated[0]] for _ in range(500)))
    for drawn in zip(*stock), zip(*first), zip(*second):
        assert all(len(set(values)) > 1 for values in drawn)
    for clips in first, second:
        for ours, theirs in zip(zip(*clips), zip(*stock)):
            assert same_distribution(ours, theirs)
    # and the second clip does not know of the first
    for ours, theirs in zip(zip(*first), zip(*second)):
        table = [
            [sum((x, y) == (a, b) for x, y in zip(ours, theirs)) for b in sorted(set(theirs))]
            for a in sorted(set(ours))
        ]
        assert chi2_contingency(table).pvalue > 1e-3


@pytest.mark.parametrize('persistent', [False, True])
def test_clips_are_a_function_of_seed_epoch_and_video(video_path, persistent):
    steps = pre_training(dict(type='SeedAugmentation'), OURS[0])
    dataset = build(video_path, steps, names=['a.mp4'] * 4, num_repeats=2)

    def expected(epoch):
        dataset.pipeline.transforms[0].set_epoch(0, epoch)
        return torch.stack([clip['inputs'] for i in range(4) for clip in dataset[i]])

    whole = [expected(epoch) for epoch in (0, 1)]
    assert torch.equal(whole[0], expected(0)) and not torch.equal(*whole)
    assert len(whole[0].flatten(1).unique(dim=0)) == 8
    loader = DataLoader(
        dataset, num_workers=2, persistent_workers=persistent, collate_fn=lambda batch: batch[0]
    )
    for epoch in (0, 1):
        dataset.pipeline.transforms[0].set_epoch(0, epoch)
        clips = torch.stack([clip['inputs'] for video in loader for clip in video])
        assert torch.equal(clips, whole[epoch])


def test_a_video_that_is_too_short_is_replaced_for_all_its_clips(video_path):
    write_video(video_path.parent / 'short.mp4', 1)
    dataset = build(
        video_path, pre_training(OURS[0]), names=['short.mp4', *['a.mp4'] * 8], num_repeats=2
    )
    dataset.substitute_bad_videos(0, 0)
    first, second = (clip['data_samples'] for clip in dataset[0])
    assert first.sample_idx == second.sample_idx != 0
    assert first.bad_videos[0][1] == 'ValueError: 1 of at least 2 frames'
    assert 'bad_videos' not in second.metainfo
