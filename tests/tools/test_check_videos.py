"""tools/data/check_videos.py: the clean list, the report, interruptions."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pmd_mmaction.curation.process_per_file import Outcome
from pmd_mmaction.curation.video_check import check_video
from pmd_mmaction.readers.video_reader import VideoReader
from pmd_mmaction.readers.video_stream import VideoError
from tests.datasets.stored_forms import write
from tests.tools.videos import cut, write_sound, write_video
from tools.data import check_videos

TOOL = Path(check_videos.__file__)


@pytest.fixture
def run(tmp_path):
    def call(source, *options, prefix=''):
        out, report = tmp_path / 'out' / 'clean.txt', tmp_path / 'out' / 'report.csv'
        outputs = ['--out', str(out), '--report', str(report), '--prefix', str(prefix)]
        code = check_videos.main([str(source), *outputs, '--jobs', '2', *options])
        with report.open(encoding='utf-8', errors='surrogateescape', newline='') as file:
            rows = list(csv.DictReader(file))
        return code, os.fsdecode(out.read_bytes()).splitlines(), rows

    return call


def problems(rows):
    return {Path(row['path']).name: row['problem'] for row in rows}


def test_a_folder_with_every_problem(tmp_path, run):
    clips = tmp_path / 'clips'
    good = write_video(clips / 'good.mp4')
    for name in (b'caf\xe9.mp4', b'a b 7.mp4', b'q"\'.mp4', b'12:30.mp4', b'new\nline.mp4'):
        os.link(good, os.fsencode(clips / 'odd') + name)
    write_video(clips / 'sub' / 'short.mp4', frames=15)
    cut(write_video(clips / 'no_index.mp4'))
    cut(write_video(clips / 'half.webm', frames=100, codec='libvpx-vp9'))
    write_sound(clips / 'sound.mp4')
    (clips / 'empty.mp4').touch()
    (clips / 'notes.txt').touch()
    os.symlink('nowhere.mp4', clips / 'lost.mp4')
    code, lines, rows = run(clips)
    assert code == 3
    odd = [f'odd{name}' for name in ('12:30.mp4', 'a b 7.mp4', 'caf\udce9.mp4', 'q"\'.mp4')]
    assert lines == ['good.mp4', *odd]
    assert problems(rows) == {
        'oddnew\nline.mp4': 'line break in its name',
        'short.mp4': 'too short',
        'no_index.mp4': 'not a video',
        'half.webm': 'wrong length',
        'sound.mp4': 'no video stream',
        'empty.mp4': 'empty',
        'lost.mp4': 'missing',
    }


def test_lists_keep_order_and_labels(tmp_path, run, capsys):
    for name in ('b.mp4', 'a c.mp4'):
        write_video(tmp_path / 'clips' / name)
    source = tmp_path / 'list.txt'
    source.write_text('b.mp4 3\ngone.mp4 1\na c.mp4 0\nb.mp4 4\n')
    code, lines, rows = run(source, prefix=tmp_path / 'clips')
    assert (code, lines) == (3, ['b.mp4 3', 'a c.mp4 0'])
    assert problems(rows) == {'gone.mp4': 'missing', 'b.mp4': 'twice in the list'}
    assert rows[1]['detail'] == 'first as: b.mp4 3'
    assert 'report.csv' in capsys.readouterr().err
    source.write_text('b.mp4\na c.mp4\n')
    code, lines, rows = run(source, prefix=tmp_path / 'clips')
    assert (code, lines, rows) == (0, ['b.mp4', 'a c.mp4'], [])


@pytest.mark.parametrize('name', ['../b.mp4', 'a/../../b.mp4', '{}/b.mp4'])
def test_a_list_does_not_lead_outside_of_the_prefix(tmp_path, run, capsys, name):
    write_video(tmp_path / 'b.mp4')
    (tmp_path / 'clips' / 'a').mkdir(parents=True)
    line = name.format(tmp_path)
    (tmp_path / 'list.txt').write_text(f'{line}\n')
    with pytest.raises(FileNotFoundError):  # there is no report
        run(tmp_path / 'list.txt', prefix=tmp_path / 'clips')
    told = capsys.readouterr().err
    assert f'line 1: {line!r} lies outside' in told and '--allow-outside' in told
    code, lines, _ = run(tmp_path / 'list.txt', '--allow-outside', prefix=tmp_path / 'clips')
    assert (code, lines) == (0, [line])


def test_what_is_settled_is_not_checked_again(tmp_path, run, monkeypatch):
    clips = tmp_path / 'clips'
    for name in ('a.mp4', 'b.mp4', 'short.mp4'):
        write_video(clips / name, frames=20 - 10 * (name == 'short.mp4'))
    os.symlink('c', clips / 'missing.mp4')
    checked = []
    isolated = check_videos.map_isolated

    def look(function, items, *rest):
        checked.append(sorted(Path(item).name for item in items))
        return isolated(function, items, *rest)

    monkeypatch.setattr(check_videos, 'map_isolated', look)
    first = run(clips)
    assert run(clips) == first
    write_video(clips / 'a.mp4', frames=30)  # another file under the same name
    run(clips)
    run(clips, '--min-frames', '9')
    everything = ['a.mp4', 'b.mp4', 'missing.mp4', 'short.mp4']
    assert checked == [everything, ['missing.mp4'], ['a.mp4', 'missing.mp4'], everything]


def test_what_the_machine_did_is_checked_again():
    for error, settled in (('MemoryError: ', False), ('ValueError: x', True)):
        problem = check_videos.finding(Outcome('a.mp4', None, error))['problem']
        assert (problem not in check_videos.PASSING) == settled


def test_a_killed_check_goes_on(tmp_path, run):
    clips = tmp_path / 'clips'
    video_path = write_video(clips / '000.mp4', frames=300, size=(320, 240))
    for i in range(1, 50):
        os.link(video_path, clips / f'{i:03d}.mp4')
    outputs = [
        '--out',
        str(tmp_path / 'out/clean.txt'),
        '--report',
        str(tmp_path / 'out/report.csv'),
    ]
    process = subprocess.Popen(
        [sys.executable, str(TOOL), str(clips), *outputs, '--jobs', '1'], stderr=subprocess.DEVNULL
    )
    journal = tmp_path / 'out' / 'report.csv.journal'
    while not journal.is_file() or journal.read_bytes().count(b'\n') < 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = journal.read_bytes().count(b'\n')
    assert 3 <= before < 50 and not (tmp_path / 'out' / 'clean.txt').exists()
    code, lines, rows = run(clips)
    assert (code, rows) == (0, [])
    assert lines == [f'{i:03d}.mp4' for i in range(50)]
    entries = [json.loads(line)['key'] for line in journal.read_bytes().splitlines()]
    assert len(entries) == len(set(entries)) == 50


def test_errors(tmp_path, capsys):
    outputs = ['--out', str(tmp_path / 'c'), '--report', str(tmp_path / 'r')]
    assert check_videos.main([str(tmp_path / 'none.txt'), *outputs]) == 1
    told = capsys.readouterr().err
    assert 'none.txt is neither a folder of videos nor a list of them; see docs/data.md' in told
    assert check_videos.main([str(tmp_path), *outputs]) == 1
    assert 'holds no video' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        check_videos.main([str(tmp_path), *outputs, '--jobs', '0'])
    assert list(tmp_path.iterdir()) == []


def test_untrue_headers_are_kept_and_noted(tmp_path, run, capsys):
    (tmp_path / 'clips').mkdir()
    write(tmp_path / 'clips', 'longer_sound.mkv')
    write(tmp_path / 'clips', 'packed.avi')
    write(tmp_path / 'clips', 'h264.MTS')
    for reader in ('pyav', 'decord'):
        code, lines, rows = run(tmp_path / 'clips', '--reader', reader)
        assert (code, lines) == (0, ['h264.MTS', 'longer_sound.mkv', 'packed.avi'])
        told = 'fine, but the header is wrong'
        assert problems(rows) == {'longer_sound.mkv': told, 'packed.avi': told}
        assert [row['kept'] for row in rows] == ['yes', 'yes']
        assert rows[1]['detail'] == '38 frames, header says 40'
        assert 'report.csv' in capsys.readouterr().err


def test_the_reader_of_the_training_has_the_last_word(tmp_path, run, monkeypatch):
    """What the reader cannot read is left out, although FFmpeg decodes it."""
    write(tmp_path, 'h264.mp4')

    def refuse(self, numbers):
        raise VideoError(f'{self.path}: no frame {numbers}')

    monkeypatch.setattr(VideoReader, 'read', refuse)
    report = check_video(str(tmp_path / 'h264.mp4'))
    assert report.problem == 'decode error' and report.detail.startswith('no frame [')
    monkeypatch.setattr(VideoReader, '__len__', lambda self: 39)
    report = check_video(str(tmp_path / 'h264.mp4'))
    assert report[:2] == ('decode error', 'pyav counts 39 frames, 40 can be decoded')


def test_what_was_not_looked_at_is_told(tmp_path, run, capsys):
    clips = tmp_path / 'clips'
    write_video(clips / 'a.mp4')
    for name in ('notes.txt', 'more.txt', 'cover.jpg'):
        (clips / name).touch()
    assert run(clips)[0] == 0
    assert 'not looked at: 2 .txt, 1 .jpg' in capsys.readouterr().err
    write_video(clips / 'b.mp4').rename(clips / 'b.clip')
    code, lines, rows = run(clips)
    assert (code, lines, rows) == (3, ['a.mp4'], [])
    assert 'b.clip: give them the suffix of a video' in capsys.readouterr().err
