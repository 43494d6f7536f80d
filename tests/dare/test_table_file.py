"""The file of the table: round trip, damage, mix-ups, crashes."""

import hashlib
import multiprocessing
import os
import signal
import struct
import time

import numpy as np
import pytest
import torch

from pmd_mmaction.dare import DifficultyTable, dataset_fingerprint, table_file
from tests.dare.writing import write

FINGERPRINT = dataset_fingerprint(f'class/{i}.mp4' for i in range(6))


def filled(seed, dtype='float16', videos=6):
    """A table with different random values in both arrays."""
    table = DifficultyTable.create(None, videos, 2, 9, dtype)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(2):
        table.end_stage()
        masked = torch.rand(videos, 9, generator=generator).argsort(1)[:, :7]
        write(table, range(videos), masked, torch.rand(videos, 2, 7, generator=generator))
    return table


def same(a, b):
    """Whether two tables agree in every bit."""
    return a.current.tobytes() == b.current.tobytes() and a.stage.tobytes() == b.stage.tobytes()


@pytest.mark.parametrize('dtype', ['float16', 'float32'])
@pytest.mark.parametrize('chunk', [7, 2**24])
def test_round_trip(tmp_path, monkeypatch, dtype, chunk):
    monkeypatch.setattr(DifficultyTable.chunks, '__defaults__', (chunk,))
    table, other = filled(0, dtype), filled(1, dtype)
    assert not np.array_equal(table.current, table.stage)
    digest = table_file.save(table, tmp_path / 't', FINGERPRINT, {'epoch': 33, 'phase': 1})
    info = table_file.load(other, tmp_path / 't', digest, FINGERPRINT)
    assert same(table, other)
    assert info == table_file.inspect(tmp_path / 't')
    assert (info.layout, info.fingerprint) == (table.layout, FINGERPRINT)
    assert (info.counters, info.digest) == ({'epoch': 33, 'phase': 1}, digest)
    assert os.listdir(tmp_path) == ['t']


def test_format_is_as_documented(tmp_path):
    """Read with nothing but the documentation, so that a change of format cannot pass unseen."""
    table = filled(0)
    digest = table_file.save(table, tmp_path / 't', FINGERPRINT)
    content = (tmp_path / 't').read_bytes()
    magic, version, length = struct.unpack('<8sII', content[:16])
    assert (magic, version) == (b'PMDTABLE', 1)
    arrays = np.frombuffer(content[16 + length : -32], '<f2').reshape(2, 6, 2, 9)
    assert np.array_equal(arrays, [table.current, table.stage])
    assert content[-32:] == hashlib.sha256(content[:-32]).digest() == bytes.fromhex(digest)


def test_same_table_same_digest(tmp_path):
    digests = [table_file.save(filled(s), tmp_path / str(s), FINGERPRINT) for s in (0, 1)]
    assert digests[0] == table_file.save(filled(0), tmp_path / 'again', FINGERPRINT)
    assert digests[0] != digests[1]
    assert digests[0] != table_file.save(filled(0), tmp_path / 'again', {'num_videos': 6})


def refused(path, message, table=None, digest=None, fingerprint=None):
    """Loading raises a ValueError that names the file and leaves the table as it was."""
    table = table or filled(5)
    before = table.current.copy(), table.stage.copy()
    with pytest.raises(ValueError, match=message) as caught:
        table_file.load(table, path, digest, fingerprint)
    assert str(path) in str(caught.value)
    assert np.array_equal(table.current, before[0]) and np.array_equal(table.stage, before[1])


@pytest.mark.parametrize('length', [0, 5, 15, 16, 40, 200, -40, -32, -1])
def test_truncated(tmp_path, length):
    path = tmp_path / 't'
    table_file.save(filled(0), path, FINGERPRINT)
    os.truncate(path, length if length >= 0 else path.stat().st_size + length)
    begin = 0 <= length < 16
    header = 16 <= length <= 200
    message = 'does not begin' if begin else 'unreadable header' if header else 'bytes instead of'
    refused(path, message)


def test_longer_than_it_should_be(tmp_path):
    path = tmp_path / 't'
    table_file.save(filled(0), path, FINGERPRINT)
    path.write_bytes(path.read_bytes() + b'\0')
    refused(path, r'has \d+ bytes instead of \d+\. The file is damaged')


@pytest.mark.parametrize('place', ['fingerprint', 'current', 'stage', 'digest'])
def test_one_bit_flipped(tmp_path, place):
    path = tmp_path / 't'
    digest = table_file.save(filled(0), path, FINGERPRINT)
    start, array = table_file.inspect(path).header_bytes, filled(0).nbytes // 2
    content = bytearray(path.read_bytes())
    sha = content.index(FINGERPRINT['sha256'].encode())
    content[dict(fingerprint=sha, current=start, stage=start + array, digest=-1)[place]] ^= 1
    path.write_bytes(content)
    refused(path, 'content of digest .*, but says .* resume from an earlier checkpoint')
    if place == 'digest':
        refused(path, 'the checkpoint names', digest=digest)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        (b'PMDTABLE', b'PMDTABLF', 'does not begin with'),
        (b'PMDTABLE\1', b'PMDTABLE\2', 'version 2 of the format, this program reads 1'),
        (b'"layout"', b'"lay0ut"', 'unreadable header .*The file is damaged'),
        (b'"float16"', b'"float99"', 'unreadable header .*dtype must be'),
        (b'"num_videos": 6}', b'"num_videos": 7}', 'bytes instead of'),
    ],
)
def test_broken_header(tmp_path, old, new, message):
    path = tmp_path / 't'
    table_file.save(filled(0), path, {})
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    refused(path, message)
    with pytest.raises(ValueError, match=message):
        table_file.inspect(path)


def test_table_of_another_run(tmp_path):
    path = tmp_path / 't'
    digest = table_file.save(filled(0), path, FINGERPRINT)
    refused(path, r'shape \(6, 2, 9\) .* this run has \(7, 2, 9\)', filled(0, videos=7))
    refused(path, 'holds float16 values, this run keeps float32', filled(0, 'float32'))
    moved = dataset_fingerprint(f'class/{i}.mp4' for i in (1, 0, 2, 3, 4, 5))
    refused(path, 'resume with the same annotation file, in the same order', fingerprint=moved)
    refused(path, f'has the digest {digest}, the checkpoint names 0000', digest='0000')


def test_a_file_cut_while_it_is_read_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / 't'
    table_file.save(filled(0, videos=1000), path, FINGERPRINT)
    verify = table_file._check_digest

    def verify_then_cut(*arguments):
        verify(*arguments)
        os.truncate(path, 300)

    monkeypatch.setattr(table_file, '_check_digest', verify_then_cut)
    with pytest.raises(OSError, match='became shorter'):
        table_file.load(filled(1, videos=1000), path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        table_file.load(filled(0), tmp_path / 't')


def test_an_error_while_saving_leaves_the_old_file(tmp_path):
    class Failing(DifficultyTable):
        def chunks(self, size=10):
            for number, chunk in enumerate(super().chunks(size)):
                if number == 3:
                    raise OSError('No space left on device')
                yield chunk

    path = tmp_path / 't'
    digest = table_file.save(filled(0), path, FINGERPRINT)
    failing = Failing.create(None, 6, 2, 9)
    with pytest.raises(OSError, match='No space left'):
        table_file.save(failing, path, FINGERPRINT)
    assert os.listdir(tmp_path) == ['t']
    table_file.load(filled(1), path, digest)


@pytest.mark.parametrize('moment', ['write', 'fsync', 'replace'])
def test_a_kill_while_saving_leaves_the_old_file(tmp_path, moment):
    path = tmp_path / 't'
    digest = table_file.save(filled(0), path, FINGERPRINT)
    context = multiprocessing.get_context('fork')
    reached = context.Event()

    def stop(*_):
        reached.set()
        time.sleep(60)

    def work():
        if moment == 'write':
            DifficultyTable.chunks = lambda self: (yield b'partial') or stop()
        else:
            setattr(os, moment, stop)
        table_file.save(filled(1), path, FINGERPRINT)

    process = context.Process(target=work, daemon=True)
    process.start()
    assert reached.wait(20)
    os.kill(process.pid, signal.SIGKILL)
    process.join(20)
    assert process.exitcode == -signal.SIGKILL

    table = filled(1)
    table_file.load(table, path, digest, FINGERPRINT)
    assert same(table, filled(0))
    assert sorted(os.listdir(tmp_path)) == ['t', 't.tmp']
    table_file.save(filled(1), path, FINGERPRINT)  # the next attempt tidies up
    assert os.listdir(tmp_path) == ['t']


def test_the_bytes_reach_the_disk_before_the_name(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(fd):
        name = os.path.basename(os.readlink(f'/proc/self/fd/{fd}'))
        events.append(('fsync', name, os.fstat(fd).st_size))
        fsync(fd)

    def record_replace(source, target):
        replace(source, target)
        events.append(('replace', os.path.basename(source), os.path.getsize(target)))

    monkeypatch.setattr(os, 'fsync', record_fsync)
    monkeypatch.setattr(os, 'replace', record_replace)
    table_file.save(filled(0), tmp_path / 't', FINGERPRINT)
    size = os.path.getsize(tmp_path / 't')
    assert events[:2] == [('fsync', 't.tmp', size), ('replace', 't.tmp', size)]
    assert [event[:2] for event in events[2:]] == [('fsync', tmp_path.name)]
