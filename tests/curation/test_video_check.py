"""Every kind of bad file is told from a good one, with the numbers behind it."""

import errno
import os

import av
import pytest

from pmd_mmaction.curation.video_check import check_video
from pmd_mmaction.datasets import read_error
from pmd_mmaction.readers.watched_decoding import WatchedDecoding
from tests.tools.videos import cut, write_sound, write_video

FORMATS = [('.mp4', 'libx264'), ('.avi', 'mpeg4'), ('.webm', 'libvpx-vp9'), ('.mkv', 'libx264')]


@pytest.mark.parametrize('suffix, codec', FORMATS)
@pytest.mark.parametrize('decode', [True, False])
def test_a_good_video(tmp_path, suffix, codec, decode):
    report = check_video(str(write_video(tmp_path / f'a{suffix}', codec=codec)), decode=decode)
    assert report == (None, '', 20)


@pytest.mark.parametrize('suffix, codec', FORMATS[2:])
def test_the_second_half_is_missing(tmp_path, suffix, codec):
    video_path = cut(write_video(tmp_path / f'a{suffix}', frames=100, size=(128, 96), codec=codec))
    report = check_video(str(video_path))
    assert report.problem == 'wrong length' and 'header says' in report.detail
    assert 20 < report.frames < 80
    assert check_video(str(video_path), decode=False).problem is None


def test_a_cut_mp4_has_lost_its_index(tmp_path):
    video_path = cut(write_video(tmp_path / 'a.mp4'))
    assert check_video(str(video_path)) == (
        'not a video',
        'Invalid data found when processing input',
        0,
    )


@pytest.mark.parametrize('number', [errno.EIO, errno.ESTALE, errno.ENOMEM, errno.EMFILE])
@pytest.mark.parametrize('place', ['__enter__', '__iter__'])
def test_what_the_disk_did_is_no_fault_of_the_file(tmp_path, monkeypatch, number, place):
    def fail(self):
        raise av.error.FFmpegError(number, os.strerror(number))

    monkeypatch.setattr(read_error, '_can_be_read', lambda path: False)
    monkeypatch.setattr(WatchedDecoding, place, fail)
    report = check_video(str(write_video(tmp_path / 'a.mp4')))
    assert report == ('cannot be read now', os.strerror(number), 0)


@pytest.mark.parametrize('suffix, codec', [('.webm', 'libvpx-vp9'), ('.mkv', 'libx264')])
def test_a_file_that_ends_early_is_no_fault_of_the_disk(tmp_path, suffix, codec):
    """Of a Matroska file without its first frame FFmpeg reports an input/output error."""
    whole = write_video(tmp_path / f'a{suffix}', codec=codec).read_bytes()
    for length in range(100, 400, 50):
        (tmp_path / f'cut{suffix}').write_bytes(whole[:length])
        report = check_video(str(tmp_path / f'cut{suffix}'))
        assert report == ('not a video', 'Input/output error', 0)


def test_too_short(tmp_path):
    video_path = str(write_video(tmp_path / 'a.mp4'))
    for decode in (True, False):
        assert check_video(video_path, 21, decode) == ('too short', '20 of 21 frames', 20)
        assert check_video(video_path, 20, decode).problem is None


def test_a_frame_cut_off(tmp_path):
    video_path = cut(write_video(tmp_path / 'a.avi', frames=100, size=(128, 96), codec='mpeg4'))
    report = check_video(str(video_path))
    assert report.problem == 'decode error' and report.detail


def test_a_tolerance_allows_for_lost_frames(tmp_path):
    video_path = str(cut(write_video(tmp_path / 'a.webm', frames=100, codec='libvpx-vp9')))
    assert check_video(video_path, tolerance=0.9).problem is None


def test_no_length_in_the_header_is_no_fault(tmp_path):
    """Browsers record such files; without decoding nothing could be said of them."""
    video_path = write_video(tmp_path / 'a.webm', codec='libvpx-vp9', options=dict(live='1'))
    for decode in (True, False):
        assert check_video(str(video_path), 16, decode) == (None, '', 20)


def test_no_video_at_all(tmp_path):
    (tmp_path / 'empty.mp4').touch()
    (tmp_path / 'text.mp4').write_text('this is no video\n' * 100)
    os.symlink('loop.mp4', tmp_path / 'loop.mp4')
    found = {
        name: check_video(str(tmp_path / name)).problem
        for name in ('empty.mp4', 'text.mp4', 'none.mp4', 'loop.mp4')
    }
    assert found == {
        'empty.mp4': 'empty',
        'text.mp4': 'not a video',
        'none.mp4': 'missing',
        'loop.mp4': 'cannot be opened',
    }
    assert check_video(str(write_sound(tmp_path / 'sound.mp4'))).problem == 'no video stream'


def test_no_permission(tmp_path):
    video_path = write_video(tmp_path / 'a.mp4')
    video_path.chmod(0)
    user = os.geteuid()
    if user == 0:  # whom no permission stops
        os.seteuid(65534)
    try:
        assert check_video(str(video_path)).problem == 'no permission'
    finally:
        os.seteuid(user)


def test_names(tmp_path, monkeypatch):
    """Colons make FFmpeg think of addresses, percent signs of numbered pictures."""
    video_path = write_video(tmp_path / 'a.mp4')
    monkeypatch.chdir(tmp_path)
    for name in (b'caf\xe9.mp4', b'12:30 x.mp4', b'a\nb.mp4', b'q"\'.mp4', b'%d.mp4', b'-i.mp4'):
        os.link(video_path, name)
        assert check_video(os.fsdecode(name)).frames == 20


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'a.mp4')
    report = check_video(str(tmp_path / 'a.mp4'))
    assert report[:2] == ('cannot be opened', 'a pipe, socket or device')
