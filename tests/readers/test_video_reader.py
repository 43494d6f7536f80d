"""Frames by their number: the same whatever else is asked for, and the same as decord's."""

import functools
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmd_mmaction.readers.decord_reader import DecordReader
from pmd_mmaction.readers.video_reader import VideoError, VideoReader
from tests.tools.videos import cut, read_video, turn, write_sound, write_video

FRAMES = 40
KINDS = {
    'few key frames': dict(gop=250),
    'many key frames': dict(gop=6),
    'uneven times': dict(milliseconds=[7 * i * i + 500 for i in range(FRAMES)]),
    'another codec': dict(codec='mpeg4', gop=10),
    'odd size': dict(size=(61, 47)),
}


@pytest.fixture(scope='module', params=KINDS, ids=lambda kind: kind.replace(' ', '-'))
def video_path(request, tmp_path_factory):
    path = tmp_path_factory.mktemp('videos') / 'a.mp4'
    return write_video(path, FRAMES, **KINDS[request.param])


@functools.cache
def whole(path):
    """All frames, decoded from the beginning by the plainest loop."""
    return read_video(path)


@settings(deadline=None, max_examples=25)
@given(numbers=st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=12))
def test_a_frame_does_not_depend_on_the_others(video_path, numbers):
    with VideoReader(str(video_path)) as video:
        assert len(video) == FRAMES
        images = video.read(numbers)
    np.testing.assert_array_equal(images, whole(video_path)[numbers])


def test_a_reader_can_be_asked_again(video_path):
    with VideoReader(str(video_path)) as video:
        for numbers in ([30, 31], [0], [39, 5]):
            np.testing.assert_array_equal(video.read(numbers), whole(video_path)[numbers])


def test_the_frames_are_those_of_decord(video_path):
    numbers = [0, 3, 17, 18, 39, 2]
    readers = VideoReader(str(video_path)), DecordReader(str(video_path))
    ours, decords = (np.stack(video.read(numbers)).astype(int) for video in readers)
    assert len(readers[0]) == len(readers[1])
    assert readers[0].avg_fps == pytest.approx(readers[1].avg_fps, rel=0.03)
    # neighbouring frames differ by 10 in the bar at the left
    assert abs(ours - decords).mean() < 0.5
    assert abs(ours - decords)[:, 5:-5, :5].max() < 5


def test_it_starts_no_thread(tmp_path):
    video_path = write_video(tmp_path / 'a.mp4', size=(320, 240))
    with VideoReader(str(video_path)) as video:
        before = os.listdir('/proc/self/task')
        video.read([0, 5])
        assert set(os.listdir('/proc/self/task')) <= set(before)


def test_pictures_of_one_frame_are_separate(video_path):
    with VideoReader(str(video_path)) as video:
        first, second = video.read([4, 4])
    first[:] = 0
    np.testing.assert_array_equal(second, whole(video_path)[4])


@pytest.mark.parametrize('degrees, turns', [(90, -1), (180, 2), (270, 1)])
def test_turned_videos_stand_upright(tmp_path, degrees, turns):
    video_path = write_video(tmp_path / 'a.mp4')
    turn(video_path, degrees)
    with VideoReader(str(video_path)) as video:
        (image,) = video.read([3])
    np.testing.assert_array_equal(image, np.rot90(read_video(video_path)[3], turns))


def test_content_from_memory(video_path):
    with VideoReader('s3://a/video', video_path.read_bytes()) as video:
        np.testing.assert_array_equal(video.read([7]), whole(video_path)[[7]])


@pytest.mark.parametrize('reader', [VideoReader, DecordReader])
@pytest.mark.parametrize('kind', ['missing', 'empty', 'text', 'sound', 'cut'])
def test_what_is_no_video_is_named(tmp_path, reader, kind):
    path = tmp_path / f'{kind}.mp4'
    if kind == 'empty':
        path.touch()
    elif kind == 'text':
        path.write_text('This is no video.')
    elif kind == 'sound':
        write_sound(path)
    elif kind == 'cut':
        cut(write_video(path))
    with pytest.raises(VideoError, match=f'{kind}.mp4: '):
        reader(str(path))


@pytest.mark.parametrize('reader', [VideoReader, DecordReader])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, reader):
    os.mkfifo(tmp_path / 'a.mp4')
    with pytest.raises(VideoError, match='a.mp4: a pipe, socket or device'):
        reader(str(tmp_path / 'a.mp4'))


def test_a_frame_that_does_not_exist(video_path):
    with (
        VideoReader(str(video_path)) as video,
        pytest.raises(IndexError, match='no frame 40 among 40'),
    ):
        video.read([0, FRAMES])


def test_a_damaged_middle_is_an_error_and_never_another_frame(tmp_path):
    video_path = write_video(
        tmp_path / 'a.mp4', 60, size=(128, 96), options=dict(movflags='faststart')
    )
    expected = read_video(video_path)
    content = video_path.read_bytes()
    video_path.write_bytes(content[: len(content) * 3 // 4])
    with VideoReader(str(video_path)) as video:
        np.testing.assert_array_equal(video.read([0, 5]), expected[[0, 5]])
        last = len(video) - 1
        if last == 59:
            with pytest.raises(VideoError, match='a.mp4'):
                video.read([59])
        else:
            with pytest.raises(IndexError):
                video.read([59])


@pytest.mark.parametrize('name', ['a.webm', 'a.mkv', 'a.mp4'])
def test_the_rate_is_the_average_and_not_that_of_the_header(tmp_path, name):
    """As browsers record: 40 frames in 1.2 seconds, whatever the header says."""
    codec = 'libvpx-vp9' if name == 'a.webm' else 'libx264'
    times = [30 * i + 5 * (i % 3) for i in range(FRAMES)]
    path = write_video(tmp_path / name, FRAMES, codec=codec, milliseconds=times)
    with VideoReader(str(path)) as video:
        assert video.avg_fps == pytest.approx(1000 / 30, rel=0.03)
