"""Windows along a video are read as the pipeline reads it."""

import pytest

from pmd_mmaction.datasets.video_windows import VideoWindows
from pmd_mmaction.transforms import video_transforms


def test_frames_of_the_whole_video_have_no_interval():
    """SSv2 is fine-tuned on frames from all over the video."""
    steps = [dict(type='VideoInit'), dict(type='UniformSample', clip_len=4)]
    steps.append(dict(type='VideoDecode'))
    with pytest.raises(ValueError, match=r'UniformSample takes no frames .* give one .--interval'):
        VideoWindows(['a.mp4'], steps, stride=4)
    assert VideoWindows(['a.mp4'], steps, stride=4, interval=2).interval == 2


@pytest.mark.parametrize('first', [[], [dict(type='MarkSplit')]])
def test_the_reader_is_that_of_the_pipeline(monkeypatch, first):
    """Whatever comes before it; files may be elsewhere than on a local disk."""
    opened = []
    monkeypatch.setitem(video_transforms.READERS, 'decord', lambda *args: opened.append(args))
    monkeypatch.setattr(video_transforms, 'get', lambda path, args: (path, args))
    backend = dict(backend='http')
    steps = [
        *first,
        dict(type='VideoInit', reader='decord', backend_args=backend),
        dict(type='SampleFrames', clip_len=4),
        dict(type='VideoDecode'),
    ]
    VideoWindows(['a.mp4'], steps, stride=4).open('a.mp4')
    assert opened == [('a.mp4', ('a.mp4', backend))]
