"""Which files of a folder are videos."""

import os

import pytest

from pmd_mmaction.datasets import find_videos
from pmd_mmaction.datasets.video_folder import scan_folder


def test_videos_of_a_folder(tmp_path):
    for name in ('b/x.MP4', 'a.webm', 'notes.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in find_videos(tmp_path)] == [
        'a.webm',
        'b/x.MP4',
    ]
    videos, others = scan_folder(tmp_path)
    assert (len(videos), [path.name for path in others]) == (2, ['notes.txt'])
    (tmp_path / 'empty').mkdir()
    for folder, message in (('no', 'is not a folder'), ('empty', 'holds no')):
        with pytest.raises(ValueError, match=message):
            find_videos(tmp_path / folder)


@pytest.mark.parametrize(
    'suffix', 'MTS m2ts ts 3gp 3g2 ogv GIF vob mpe m2v f4v asf divx mxf'.split()
)
def test_videos_of_cameras_and_of_the_web(tmp_path, suffix):
    (tmp_path / f'a.{suffix}').touch()
    assert find_videos(tmp_path) == [tmp_path / f'a.{suffix}']


def test_what_is_no_video_is_counted(tmp_path):
    for name in ('a.txt', 'b.TXT', 'c.jpg', 'README'):
        (tmp_path / name).touch()
    (tmp_path / 'x.mp4').touch()
    _, others = scan_folder(tmp_path)
    assert len(others) == 4
    (tmp_path / 'x.mp4').unlink()
    with pytest.raises(ValueError, match='it holds 2 .txt, 1 .jpg, 1 without suffix'):
        find_videos(tmp_path)


def test_a_link_takes_no_folder_its_name(tmp_path):
    for name in ('a', 'z'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'x.mp4').touch()
    (tmp_path / 'a' / 'best').symlink_to(tmp_path / 'z')
    assert find_videos(tmp_path) == [tmp_path / 'a' / 'x.mp4', tmp_path / 'z' / 'x.mp4']


def test_links_are_followed_once_and_folders_are_no_videos(tmp_path):
    (tmp_path / 'far').mkdir()
    (tmp_path / 'far' / 'x.mp4').touch()
    (tmp_path / 'near' / 'folder.mp4').mkdir(parents=True)
    os.symlink(tmp_path / 'far', tmp_path / 'near' / 'linked')
    os.symlink(tmp_path / 'near', tmp_path / 'near' / 'linked_back')
    assert find_videos(tmp_path / 'near') == [tmp_path / 'near' / 'linked' / 'x.mp4']
