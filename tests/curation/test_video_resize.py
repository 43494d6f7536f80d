"""The copy has the frames, times and picture of the original, upright and smaller."""

import os

import av
import numpy as np
import pytest

from pmd_mmaction.curation.video_resize import ResizeSettings, resize_video, target_size
from tests.tools.videos import cut, read_times, read_video, turn, write_sound, write_video

FAST = ResizeSettings(short_side=32, preset='ultrafast', gop=5)


def copy(video_path, settings=FAST):
    target = video_path.parent / 'new' / 'copy.mp4'
    return resize_video((str(video_path), str(target)), settings), target


@pytest.mark.parametrize(
    'size, expected',
    [
        ((640, 480), (426, 320)),
        ((480, 640), (320, 426)),
        ((1280, 720), (568, 320)),
        ((320, 240), (320, 240)),
        ((321, 241), (320, 240)),
        ((1, 5), (2, 4)),
        ((4000, 3), (4000, 2)),
    ],
)
def test_target_size(size, expected):
    assert target_size(*size, short_side=320) == expected


def test_the_short_side_is_exact():
    for short in range(2, 400, 2):
        for side in range(short, 2000, 37):
            assert min(target_size(side, 2 * side, short)) == short


@pytest.mark.parametrize(
    'suffix, codec',
    [('.mp4', 'libx264'), ('.avi', 'mpeg4'), ('.webm', 'libvpx-vp9'), ('.flv', 'libx264')],
)
def test_frames_and_times_are_kept(tmp_path, suffix, codec):
    video_path = write_video(tmp_path / f'a{suffix}', size=(96, 64), codec=codec)
    count, target = copy(video_path)
    before, after = read_times(video_path), read_times(target)
    assert count == len(after) == 20
    np.testing.assert_allclose(after - after[0], before - before[0], atol=1e-6)
    assert read_video(target).shape == (20, 32, 48, 3)
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.name == 'h264'
    assert [path.name for path in target.parent.iterdir()] == ['copy.mp4']


def test_uneven_times_are_kept(tmp_path):
    times = [0, 40, 45, 200, 201, 900]
    video_path = write_video(tmp_path / 'a.mkv', frames=6, size=(96, 64), milliseconds=times)
    _, target = copy(video_path)
    np.testing.assert_allclose(read_times(target), np.array(times) / 1000, atol=1e-6)


def test_the_picture(tmp_path):
    video_path = write_video(tmp_path / 'a.mp4', size=(96, 64))
    _, target = copy(video_path, FAST._replace(crf=5))
    small = read_video(video_path).reshape(20, 32, 2, 48, 2, 3).mean((2, 4))
    assert np.abs(read_video(target) - small).mean() < 4


@pytest.mark.parametrize('degrees', [90, 180, 270])
def test_a_turned_video_becomes_upright(tmp_path, degrees):
    video_path = write_video(tmp_path / 'a.mp4', size=(96, 64))
    turn(video_path, degrees)
    _, target = copy(video_path, FAST._replace(short_side=64, crf=5))
    upright = np.rot90(read_video(video_path), -degrees // 90, axes=(1, 2))
    found = read_video(target)
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).mean() < 4
    with av.open(str(target)) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_odd_sizes_and_no_enlargement(tmp_path):
    _, target = copy(write_video(tmp_path / 'a.mp4', size=(65, 49)), FAST._replace(short_side=320))
    assert read_video(target).shape == (20, 48, 64, 3)


def test_key_frames(tmp_path):
    _, target = copy(write_video(tmp_path / 'a.mp4', size=(96, 64)))
    with av.open(str(target)) as container:
        keys = [i for i, f in enumerate(container.decode(video=0)) if f.key_frame]
    assert max(np.diff([*keys, 20])) <= 5


def test_bad_videos_leave_nothing(tmp_path):
    broken = cut(write_video(tmp_path / 'a.mp4'))
    with pytest.raises(av.FFmpegError):
        copy(broken)
    with pytest.raises(ValueError, match='no video stream'):
        copy(write_sound(tmp_path / 'b.mp4'))
    assert list((tmp_path / 'new').iterdir()) == []


def test_nothing_appears_before_it_is_complete(tmp_path, monkeypatch):
    seen = []
    replace = os.replace

    def look(aside, target):
        seen.append(len(read_video(aside)))
        assert not os.path.exists(target)
        replace(aside, target)

    monkeypatch.setattr(os, 'replace', look)
    copy(write_video(tmp_path / 'a.mp4'))
    assert seen == [20]
