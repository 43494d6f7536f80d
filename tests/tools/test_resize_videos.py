"""tools/data/resize_videos.py: all copies, or a list of those that failed."""

import csv
import os
import shutil

import pytest

from tests.tools.videos import cut, read_video, write_video
from tools.data import resize_videos


@pytest.fixture
def run(tmp_path):
    def call(*options, source=tmp_path / 'raw', target=tmp_path / 'small'):
        fixed = ['--short-side', '32', '--preset', 'ultrafast', '--jobs', '2']
        return resize_videos.main([str(source), str(target), *fixed, *options])

    return call


def failures(tmp_path):
    with (tmp_path / 'small' / 'resize_failures.csv').open(newline='') as file:
        return [(row['path'], row['error']) for row in csv.DictReader(file)]


def test_a_broken_video_does_not_stop_the_others(tmp_path, run, capsys):
    raw, small = tmp_path / 'raw', tmp_path / 'small'
    write_video(raw / 'x' / 'a b.mp4', size=(96, 64))
    write_video(raw / 'y.avi', size=(64, 96), codec='mpeg4')
    os.link(raw / 'y.avi', os.fsencode(raw) + b'/caf\xe9.avi')
    broken = cut(write_video(raw / 'broken.mp4'))
    assert run() == 3
    ((path, error),) = failures(tmp_path)
    assert path == str(broken) and 'Invalid data' in error
    assert 'resize_failures.csv' in capsys.readouterr().err
    found = {str(p.relative_to(small)) for p in small.rglob('*') if p.is_file()}
    notes = {'resize_failures.csv', 'resize_settings.json'}
    assert found - notes == {'x/a b.mp4', 'y.mp4', 'caf\udce9.mp4'}
    assert read_video(small / 'x' / 'a b.mp4').shape == (20, 32, 48, 3)
    write_video(broken)
    made = (small / 'y.mp4').stat().st_mtime_ns
    assert run() == 0
    assert failures(tmp_path) == [] and (small / 'broken.mp4').is_file()
    assert (small / 'y.mp4').stat().st_mtime_ns == made  # not made again


def test_what_a_kill_left_does_not_count(tmp_path, run):
    write_video(tmp_path / 'raw' / 'a.mp4', size=(96, 64))
    (tmp_path / 'small').mkdir()
    (tmp_path / 'small' / 'a.mp4.tmp').write_bytes(b'half a video')
    assert run() == 0
    assert len(read_video(tmp_path / 'small' / 'a.mp4')) == 20
    assert not (tmp_path / 'small' / 'a.mp4.tmp').exists()


def test_a_video_that_takes_too_long(tmp_path, run):
    video_path = write_video(tmp_path / 'raw' / 'a.mp4', size=(96, 64))
    assert run('--timeout', '0') == 3
    assert failures(tmp_path) == [(str(video_path), 'timeout')]
    assert not list((tmp_path / 'small').glob('*.mp4*'))


def test_refusals(tmp_path, run, capsys):
    raw = tmp_path / 'raw'
    write_video(raw / 'a.mp4')
    for target in (raw, raw / 'small'):
        assert run(target=target) == 1
        assert 'choose a folder outside' in capsys.readouterr().err
    assert run() == 0
    assert run('--crf', '30') == 1
    assert 'other settings' in capsys.readouterr().err
    shutil.copytree(raw, tmp_path / 'another')
    assert run(source=tmp_path / 'another') == 1
    assert 'of another folder' in capsys.readouterr().err
    write_video(raw / 'a.avi', codec='mpeg4')
    assert run() == 1
    assert 'rename one' in capsys.readouterr().err
    assert run(source=tmp_path / 'none') == 1
    for option in (('--short-side', '0'), ('--crf', '52'), ('--preset', 'quick')):
        with pytest.raises(SystemExit):
            run(*option)


def test_settings_bind_only_where_there_are_copies(tmp_path, run):
    (tmp_path / 'raw').mkdir()
    (tmp_path / 'raw' / 'a.mp4').write_bytes(b'no video')
    assert run() == run('--crf', '30') == 3


def test_nothing_is_made_of_a_damaged_video(tmp_path, run):
    video_path = cut(write_video(tmp_path / 'raw' / 'a.webm', frames=100, codec='libvpx-vp9'))
    assert run() == 3
    ((path, error),) = failures(tmp_path)
    assert path == str(video_path) and 'wrong length' in error
    assert not list((tmp_path / 'small').glob('*.mp4*'))


def test_every_suffix_and_what_was_not_looked_at(tmp_path, run, capsys):
    raw = tmp_path / 'raw'
    write_video(raw / 'a.AVI', codec='mpeg4')
    for name in ('clip.MTS', 'clip.ts'):
        write_video(raw / 'x.mpg', codec='mpeg2video').rename(raw / f'{name[-2:]}{name}')
    (raw / 'labels.csv').touch()
    assert run() == 0
    assert {path.name for path in (tmp_path / 'small').glob('*.mp4')} == {
        'a.mp4',
        'TSclip.mp4',
        'tsclip.mp4',
    }
    assert 'not looked at: 1 .csv' in capsys.readouterr().err
    write_video(raw / 'b.mp4').rename(raw / 'b.clip')
    assert run() == 3
    assert 'b.clip: give them the suffix of a video' in capsys.readouterr().err


def test_videos_of_another_origin_are_not_taken_for_copies(tmp_path, run, capsys):
    write_video(tmp_path / 'raw' / 'a.mp4', size=(96, 64))
    other = write_video(tmp_path / 'small' / 'a.mp4')
    before = other.read_bytes()
    assert run() == 1
    assert 'holds videos that this tool did not make' in capsys.readouterr().err
    assert other.read_bytes() == before


def test_a_video_that_changed_is_copied_again(tmp_path, run):
    for name in ('a.mp4', 'b.mp4'):
        write_video(tmp_path / 'raw' / name, size=(96, 64))
    assert run() == 0
    copies = [tmp_path / 'small' / name for name in ('a.mp4', 'b.mp4')]
    before = [copy.stat().st_mtime_ns for copy in copies]
    later = copies[0].stat().st_mtime + 1
    os.utime(tmp_path / 'raw' / 'a.mp4', (later, later))
    assert run() == 0
    assert [copy.stat().st_mtime_ns != time for copy, time in zip(copies, before)] == [True, False]
