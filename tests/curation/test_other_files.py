"""What lies beside the videos is counted, and what is a video under another name is told."""

import os

from pmd_mmaction.curation.other_files import describe_other_files, holds_video
from pmd_mmaction.datasets.video_suffixes import count_suffixes
from tests.tools.videos import write_sound, write_video


def test_by_suffix(tmp_path):
    names = ('a.txt', 'b.TXT', 'c.jpg', 'README')
    assert count_suffixes([tmp_path / name for name in names]) == '2 .txt, 1 .jpg, 1 without suffix'


def test_nothing_beside_the_videos():
    assert describe_other_files([], 1, 60) == ('', False)


def test_videos_under_other_names_are_told_from_other_files(tmp_path):
    for name in ('notes.txt', 'LICENSE', 'data.bin'):
        (tmp_path / name).write_text('no video\n' * 100)
    others = sorted(tmp_path.iterdir())
    text, videos = describe_other_files(others, 2, 60)
    assert (text, videos) == ('not looked at: 1 .bin, 1 .txt, 1 without suffix', False)
    write_video(tmp_path / 'a.mp4').rename(tmp_path / 'clip')
    write_video(tmp_path / 'b.mpg', codec='mpeg2video').rename(tmp_path / 'b.dat')
    text, videos = describe_other_files(sorted(tmp_path.iterdir()), 2, 60)
    assert videos and text.startswith('not looked at: 2 without suffix, 1 .bin, 1 .dat, 1 .txt; 2 ')
    assert f'such as {tmp_path / "b.dat"}' in text and 'suffix of a video' in text


def test_what_holds_no_video(tmp_path):
    os.mkfifo(tmp_path / 'pipe')  # must not be waited for
    write_sound(tmp_path / 'sound.mp4').rename(tmp_path / 'sound')
    assert not any(holds_video(str(tmp_path / name)) for name in ('pipe', 'sound', 'gone'))
