"""Decord reads what was proven to suit it, and nothing else."""

import decord
import numpy as np
import pytest

from pmd_mmaction.readers import decord_reader
from pmd_mmaction.readers.decord_reader import DecordReader
from pmd_mmaction.readers.video_reader import VideoReader
from tests.tools.videos import read_video, turn, write_video

NUMBERS = [3, 17, 18, 39]


@pytest.fixture(autouse=True)
def _no_marks(monkeypatch):
    monkeypatch.setattr(decord_reader, '_SUITABLE', set())


@pytest.fixture
def without_pyav(monkeypatch):
    """A call after which PyAV opens no file any more."""

    def refuse(path, content=None):
        raise AssertionError(f'{path} is opened by PyAV')

    return lambda: monkeypatch.setattr('pmd_mmaction.readers.video_reader.open_video', refuse)


def _read(path, numbers=NUMBERS):
    with DecordReader(str(path)) as video:
        return len(video), video.avg_fps, np.stack(video.read(numbers))


def _same(one, other):
    return one[:2] == other[:2] and np.array_equal(one[2], other[2])


@pytest.mark.parametrize('gop', [6, 250])
def test_a_file_is_examined_once(tmp_path, without_pyav, gop):
    path = write_video(tmp_path / 'a.mp4', 40, gop=gop)
    first = _read(path)
    without_pyav()
    assert _same(_read(path), first)


def test_all_frames_in_order_at_every_visit(tmp_path):
    path = write_video(tmp_path / 'a.mp4', 40)
    for _ in range(2):
        with DecordReader(str(path)) as video:
            np.testing.assert_array_equal(list(video.frames()), read_video(path))


def test_another_file_under_its_name_is_examined_again(tmp_path):
    path = write_video(tmp_path / 'a.mp4', 40)
    _read(path)
    write_video(path, 40, codec='mpeg4')
    np.testing.assert_array_equal(_read(path)[2], read_video(path)[NUMBERS])


def test_content_from_elsewhere_is_always_examined(tmp_path, without_pyav):
    path = write_video(tmp_path / 'a.mp4', 40)
    _read(path)
    without_pyav()
    with pytest.raises(AssertionError, match='opened by PyAV'):
        DecordReader(str(path), path.read_bytes())


def test_what_does_not_suit_is_not_remembered(tmp_path):
    path = write_video(tmp_path / 'a.mp4', 40)
    turn(path, 90)
    _read(path)
    assert not decord_reader._SUITABLE


def test_marks_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(decord_reader, '_MOST_MARKS', 1)
    for name in ('a.mp4', 'b.mp4'):
        _read(write_video(tmp_path / name, 40))
    assert len(decord_reader._SUITABLE) == 1


@pytest.mark.parametrize('visit', [1, 2])
@pytest.mark.parametrize('fails', ['__init__', 'next', 'seek_accurate'])
def test_what_decord_fails_on_is_left_to_pyav(tmp_path, monkeypatch, visit, fails):
    path = write_video(tmp_path / 'a.mp4', 40)
    if visit == 2:
        _read(path)

    def fail(*args, **kwargs):
        raise decord.DECORDError('no')

    monkeypatch.setattr(decord.VideoReader, fails, fail)
    if fails == '__init__':  # which would leave nothing to close
        monkeypatch.setattr(decord.VideoReader, '__del__', lambda self: None)
    with VideoReader(str(path)) as video:
        expected = video.read(NUMBERS)
    assert np.array_equal(_read(path)[2], expected)


def test_a_decoder_that_counts_differently_is_not_used(tmp_path, monkeypatch):
    path = write_video(tmp_path / 'a.mp4', 40)
    monkeypatch.setattr(decord.VideoReader, '__len__', lambda self: 7)
    with DecordReader(str(path)) as video:
        assert video._decord is None and len(video) == len(read_video(path))


def test_a_decoder_that_trusts_other_key_frames_is_not_used(tmp_path, monkeypatch):
    path = write_video(tmp_path / 'a.mp4', 40)
    monkeypatch.setattr(decord.VideoReader, 'get_key_indices', lambda self: [0, 1])
    with DecordReader(str(path)) as video:
        assert video._decord is None
