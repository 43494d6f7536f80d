from pathlib import Path

import av
import pytest
from PIL import Image

from benchmarks.phone_videos import make_videos
from pmd_mmaction.curation import missing_copies
from pmd_mmaction.curation.process_per_file import Outcome
from pmd_mmaction.folder import videos
from pmd_mmaction.folder.videos import (
    FolderError,
    Lists,
    class_names,
    collect_videos,
    copy_name,
    copy_videos,
    read_lists,
    split_held_out,
    write_list,
)

SOURCE = Path('/films')


def paths(*names: str) -> list[Path]:
    return [SOURCE / name for name in names]


def test_a_tenth_is_held_out_and_always_the_same():
    found = paths(*(f'{i}.mp4' for i in range(40)))
    lists = split_held_out(SOURCE, found)
    assert (len(lists.train), len(lists.held_out), lists.classes) == (36, 4, 0)
    assert set(lists.train).isdisjoint(lists.held_out)
    assert split_held_out(SOURCE, found[::-1]) == lists


def test_sub_folders_are_classes_and_each_is_held_out():
    found = paths(*(f'{kind}/x/{i}.mp4' for kind in 'cab' for i in range(5)))
    lists = split_held_out(SOURCE, found)
    assert lists.classes == 3 and len(lists.held_out) == 3
    assert {label for _, label in lists.held_out} == {'0', '1', '2'}
    first = {name for name, label in [*lists.train, *lists.held_out] if label == '0'}
    assert first == {copy_name(SOURCE, SOURCE / f'a/x/{i}.mp4') for i in range(5)}


@pytest.mark.parametrize(
    'names, reason',
    [
        (('a/1.mp4', 'a/2.mp4', 'b/1.mp4'), 'b has a single video'),
        (('a/1.mp4', 'a/2.mp4', 'b/1.mp4', 'b/2.mp4', '3.mp4'), '3.mp4 lies in none'),
        (('a/1.mp4', 'a/2.mp4'), 'there is only one'),
        (('1.mp4', '2.mp4'), ''),
        (('train/1.mp4', 'train/2.mp4', 'Val/1.mp4', 'Val/2.mp4'), 'Val and train are splits'),
    ],
)
def test_why_there_are_no_classes(names, reason):
    found, told = class_names(SOURCE, paths(*names))
    assert not found and told.startswith(reason) and bool(told) == bool(reason)
    assert split_held_out(SOURCE, paths(*names)).classes == 0


def test_names_of_copies():
    name = copy_name(SOURCE, SOURCE / 'my day/IMG 1 (2).MOV')
    assert name.startswith('IMG_1_2_') and name.endswith('.mp4') and ' ' not in name
    assert name != copy_name(SOURCE, SOURCE / 'other/IMG 1 (2).MOV')
    assert copy_name(SOURCE, SOURCE / '\udcff ä.mp4')
    # the first 24 bits of their hashes are equal
    pair = [SOURCE / 'dog/01638/video.mp4', SOURCE / 'cat/04261/video.mp4']
    assert len({copy_name(SOURCE, path) for path in pair}) == 2


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
    still = tmp_path / 'in' / 'still.gif'
    Image.new('RGB', (64, 48)).save(still)
    found = videos.scan_folder(tmp_path / 'in')[0]
    good, failed = copy_videos(tmp_path / 'in', found, tmp_path / 'out', 32, 1)
    assert len(good) == 2 and {*failed} == {broken, still}
    assert failed[still] == 'a single frame'
    copies = {path: path.stat().st_mtime_ns for path in (tmp_path / 'out').glob('*.mp4')}
    assert {path.name for path in copies} == {copy_name(tmp_path / 'in', path) for path in good}
    make_videos(tmp_path / 'in' / 'late', mov=1, webm=0, width=64, seconds=(0.2, 0.2))
    late = videos.scan_folder(tmp_path / 'in' / 'late')[0]
    copy_videos(tmp_path / 'in', [*found, *late], tmp_path / 'out', 16, 1)
    with av.open(str(tmp_path / 'out' / copy_name(tmp_path / 'in', late[0]))) as file:
        assert min(file.streams.video[0].width, file.streams.video[0].height) == 32, 'as the others'
    with pytest.raises(FolderError, match='are 32 px high, these settings need 64: choose another'):
        copy_videos(tmp_path / 'in', found, tmp_path / 'out', 64, 1)
    assert copies == {path: path.stat().st_mtime_ns for path in copies}


def test_each_video_is_taken_once(tmp_path):
    """Backups, links and what file managers hide."""
    for i in range(10):
        (tmp_path / f'{i}.mp4').write_bytes(b'%d' % i)
    hidden = '.trash/a.mp4', '.b.mp4', '$Recycle.Bin/S-1/c.mp4', '@eaDir/1.mp4/d.mp4'
    for name in ('backup/3 (1).mp4', *hidden):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b'3' if name[0] == 'b' else name.encode())
    (tmp_path / 'latest').symlink_to(tmp_path / 'backup')
    (tmp_path / 'gone.mp4').symlink_to(tmp_path / 'nowhere.mp4')
    found, left_out = collect_videos(tmp_path)
    assert [path.name for path in found] == [f'{i}.mp4' for i in range(10)]
    first = tmp_path / '3.mp4'
    assert left_out == {
        tmp_path / 'gone.mp4': 'a link to nowhere',
        tmp_path / 'backup' / '3 (1).mp4': f'the same as {first}',
    }


def test_a_video_that_cannot_be_read_is_left_to_the_copying(tmp_path, monkeypatch):
    for i in range(10):
        (tmp_path / f'{i}.mp4').write_bytes(b'%d' % i)

    def refuse(path):
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr(videos, 'sha256_of', refuse)
    found, left_out = collect_videos(tmp_path)
    assert len(found) == 10 and not left_out


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, 'Permission denied', f'{folder}/lost+found')

    monkeypatch.setattr(videos, 'scan_folder', refuse)
    with pytest.raises(FolderError, match=r'lost\+found cannot be read .Permission denied.: allow'):
        collect_videos(tmp_path)


def test_a_copy_that_takes_too_long(tmp_path, monkeypatch):
    (tmp_path / 'long.mp4').write_bytes(bytes(3_000_000))
    given = []

    def hang(function, items, jobs, timeout):
        given.append(timeout)
        return (Outcome(item, None, 'timeout') for item in items)

    monkeypatch.setattr(missing_copies, 'map_isolated', hang)
    _, failed = copy_videos(tmp_path, [tmp_path / 'long.mp4'], tmp_path / 'out', 32, 1)
    assert given == [1806]  # half an hour, and two seconds for each MB
    assert [*failed.values()] == ['copying it took longer than 30 minutes: cut it into parts']


def test_a_copy_whose_process_was_killed_is_tried_alone(tmp_path, monkeypatch):
    """As where several at a time need more memory than there is."""
    paths, calls = [tmp_path / 'a.mp4', tmp_path / 'b.mp4'], []
    for path in paths:
        path.touch()

    def killed_together(function, items, jobs, timeout):
        calls.append((jobs, [Path(item[0]).name for item in items]))
        return (Outcome(item, *((None, 'crash') if jobs > 1 else (30, None))) for item in items)

    monkeypatch.setattr(missing_copies, 'map_isolated', killed_together)
    good, failed = copy_videos(tmp_path, paths, tmp_path / 'out', 32, 2)
    assert calls == [(2, ['a.mp4', 'b.mp4']), (1, ['a.mp4', 'b.mp4'])]
    assert good == paths and not failed


def test_a_video_that_is_gone_is_not_left_out_for_good(tmp_path, monkeypatch):
    """As on a disk that was unplugged: the lists would never name it again."""
    path = tmp_path / 'a.mp4'
    path.touch()

    def unplugged(function, items, jobs, timeout):
        path.unlink()
        return (Outcome(item, None, 'FileNotFoundError: a.mp4') for item in items)

    monkeypatch.setattr(missing_copies, 'map_isolated', unplugged)
    with pytest.raises(FolderError, match='a.mp4 cannot be read now .No such file.*goes on'):
        copy_videos(tmp_path, [path], tmp_path / 'out', 32, 1)


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def no_room(function, items, jobs, timeout):
        return (
            Outcome(item, None, 'OSError: [Errno 28] No space left on device') for item in items
        )

    monkeypatch.setattr(missing_copies, 'map_isolated', no_room)
    (tmp_path / 'a.mp4').touch()
    with pytest.raises(FolderError, match=r'the disk of .* is full') as error:
        copy_videos(tmp_path, [tmp_path / 'a.mp4'], tmp_path / 'out', 32, 1)
    assert '\n' not in str(error.value)


def test_a_bad_video_below_a_folder_called_quota_is_no_full_disk(tmp_path):
    bad = tmp_path / 'quota' / 'a.mp4'
    bad.parent.mkdir()
    bad.write_bytes(b'no video')
    _, failed = copy_videos(tmp_path, [bad], tmp_path / 'out', 32, 1)
    assert 'quota' in ''.join(failed.values())  # the text of the error has the path


@pytest.mark.parametrize(
    'files, message',
    [
        (None, 'is not a folder'),
        ([], 'holds no videos'),
        (['a.txt', 'b.jpg'], 'no videos that can be used beside 2 other files'),
        (['a.mp4', 'b.mov', 'c.webm'], '3 videos that can be used: .* needs at least 10'),
        (['a.mp4', 'again/a.mp4', 'b.txt'], '1 videos .* beside 1 other files and 1 copies and'),
    ],
)
def test_bad_folders(tmp_path, files, message):
    source = tmp_path / 'in'
    if files is not None:
        source.mkdir()
        for name in files:
            (source / name).parent.mkdir(exist_ok=True)
            (source / name).write_text(Path(name).name)
    with pytest.raises(FolderError, match=message) as error:
        collect_videos(source)
    assert '\n' not in str(error.value)
