from pathlib import Path

import pytest

from benchmarks.phone_videos import make_videos
from pmd_mmaction.folder import videos
from pmd_mmaction.folder.videos import (
    FolderError,
    Lists,
    copy_name,
    copy_videos,
    divide,
    find_videos,
    read_lists,
    write_list,
)

SOURCE = Path('/films')


def paths(*names: str) -> list[Path]:
    return [SOURCE / name for name in names]


def test_a_tenth_is_held_out_and_always_the_same():
    found = paths(*(f'{i}.mp4' for i in range(40)))
    lists = divide(SOURCE, found)
    assert (len(lists.train), len(lists.held_out), lists.classes) == (36, 4, 0)
    assert set(lists.train).isdisjoint(lists.held_out)
    assert divide(SOURCE, found[::-1]) == lists


def test_sub_folders_are_classes_and_each_is_held_out():
    found = paths(*(f'{kind}/x/{i}.mp4' for kind in 'cab' for i in range(5)))
    lists = divide(SOURCE, found)
    assert lists.classes == 3 and len(lists.held_out) == 3
    assert {label for _, label in lists.held_out} == {'0', '1', '2'}
    first = {name for name, label in [*lists.train, *lists.held_out] if label == '0'}
    assert first == {copy_name(SOURCE, SOURCE / f'a/x/{i}.mp4') for i in range(5)}


@pytest.mark.parametrize(
    'names',
    [
        ('a/1.mp4', 'a/2.mp4', 'b/1.mp4'),  # one of b is not enough
        ('a/1.mp4', 'a/2.mp4', 'b/1.mp4', 'b/2.mp4', '3.mp4'),  # one of no class
        ('a/1.mp4', 'a/2.mp4'),
    ],
)
def test_what_are_no_classes(names):
    assert divide(SOURCE, paths(*names)).classes == 0


def test_names_of_copies():
    name = copy_name(SOURCE, SOURCE / 'my day/IMG 1 (2).MOV')
    assert name.startswith('IMG_1_2_') and name.endswith('.mp4') and ' ' not in name
    assert name != copy_name(SOURCE, SOURCE / 'other/IMG 1 (2).MOV')
    assert copy_name(SOURCE, SOURCE / '\udcff ä.mp4')


def test_lists_are_read_as_they_were_written(tmp_path):
    lists = Lists([('a b.mp4', None), ('c.mp4', None)], [('d.mp4', None)])
    assert read_lists(tmp_path) is None
    write_list(tmp_path / 'held_out.txt', lists.held_out)
    assert read_lists(tmp_path) is None
    write_list(tmp_path / 'train.txt', lists.train)
    assert read_lists(tmp_path) == lists
    labelled = Lists([('a.mp4', '0'), ('c.mp4', '1')], [('d.mp4', '1')])
    write_list(tmp_path / 'held_out.txt', labelled.held_out)
    write_list(tmp_path / 'train.txt', labelled.train)
    assert read_lists(tmp_path) == labelled


# ---------------------------------------------------------------------- files


def test_copies_are_made_once_and_broken_videos_told(tmp_path):
    make_videos(tmp_path / 'in', mov=1, webm=1, width=64, seconds=(0.2, 0.2))
    broken = tmp_path / 'in' / 'broken.mp4'
    broken.write_bytes(b'x' * 1000)
    found = videos.scan_folder(tmp_path / 'in')[0]
    good, failed = copy_videos(tmp_path / 'in', found, tmp_path / 'out', 32, 1)
    assert len(good) == 2 and list(failed) == [broken]
    copies = {path: path.stat().st_mtime_ns for path in (tmp_path / 'out').glob('*.mp4')}
    assert {path.name for path in copies} == {copy_name(tmp_path / 'in', path) for path in good}
    copy_videos(tmp_path / 'in', found, tmp_path / 'out', 32, 1)
    assert copies == {path: path.stat().st_mtime_ns for path in copies}


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    full = videos.map_isolated

    def no_room(function, items, jobs, timeout):
        return (videos_outcome(item) for item in items)

    def videos_outcome(item):
        return full.__globals__['Outcome'](
            item, None, 'OSError: [Errno 28] No space left on device'
        )

    monkeypatch.setattr(videos, 'map_isolated', no_room)
    with pytest.raises(FolderError, match=r'the disk of .* is full') as error:
        copy_videos(SOURCE, paths('a.mp4'), tmp_path, 32, 1)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'files, message',
    [
        (None, 'is no folder'),
        ([], 'holds no videos'),
        (['a.txt', 'b.jpg'], 'no videos that can be used beside 2 other files'),
        (['a.mp4', 'b.mov', 'c.webm'], '3 videos that can be used: .* needs 10'),
    ],
)
def test_bad_folders(tmp_path, files, message):
    source = tmp_path / 'in'
    if files is not None:
        source.mkdir()
        for name in files:
            (source / name).write_bytes(b'x')
    with pytest.raises(FolderError, match=message) as error:
        find_videos(source)
    assert '\n' not in str(error.value)
