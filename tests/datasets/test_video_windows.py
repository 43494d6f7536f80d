"""Windows along a video are read as the pipeline reads it."""

import weakref

import pytest
from mmaction.registry import TRANSFORMS

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


@pytest.mark.parametrize('rate', [0, 10.0, 30.0, 59.94])
def test_a_window_spans_what_a_sampled_clip_spans(mmaction_scope, rate):
    sampling = dict(type='SampleFrames', clip_len=8, frame_interval=4, target_fps=30)
    steps = [dict(type='VideoInit'), sampling, dict(type='VideoDecode')]
    results = dict(total_frames=10**4, avg_fps=rate, start_index=0)
    frames = TRANSFORMS.build(sampling)(results)['frame_inds']
    window = VideoWindows(['a.mp4'], steps, stride=4)
    assert window._offsets(rate) == (frames - frames[0]).tolist()
    assert [*VideoWindows(['a.mp4'], steps, 4, interval=2)._offsets(rate)] == [*range(0, 16, 2)]


@pytest.mark.parametrize(('stride', 'most'), [(8, 12), (3, 14), (32, 5)])
def test_few_frames_are_held_at_a_time(stride, most):
    """Those of a phone have 25 MB each."""
    sampling = dict(type='SampleFrames', clip_len=4, frame_interval=4)
    steps = [dict(type='VideoInit'), sampling, dict(type='VideoDecode')]
    windows, alive, held = VideoWindows(['a.mp4'], steps, stride), weakref.WeakSet(), []

    class Frame:
        def __init__(self, number):
            self.number = number
            alive.add(self)
            held.append(len(alive))

    offsets, spans = windows._offsets(30.0), []
    for span, frames in windows._cut(map(Frame, range(200)), offsets):
        assert [frame.number for frame in frames] == [span[0] + offset for offset in offsets]
        spans.append(span)
        del frames
    assert spans == [(n, n + 13) for n in range(0, 188, stride)]
    assert max(held) <= most
