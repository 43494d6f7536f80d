"""One table in several processes: mapping, scratch file, space."""

import errno
import mmap
import multiprocessing
import os
import resource
import shutil

import numpy as np
import psutil
import pytest
import torch

from pmd_mmaction.dare import DifficultyTable, table_file
from pmd_mmaction.dare.scratch_file import HEADER_BYTES
from tests.dare.writing import write

FORK = multiprocessing.get_context('fork')


def run(*targets):
    """Run functions in one new process each and expect all to succeed."""
    processes = [FORK.Process(target=target, daemon=True) for target in targets]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def batches(count, batch, videos, patches, masked):
    """Reproducible batches with repeated videos, as arguments of `write`."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        yield (
            torch.randint(videos, (batch,), generator=generator).tolist(),
            torch.rand(batch, patches, generator=generator).argsort(1)[:, :masked],
            torch.rand(batch, 2, masked, generator=generator),
        )


def test_two_processes_share_one_table_after_its_name_is_gone(tmp_path):
    path = tmp_path / 'scratch'
    table = DifficultyTable.create(path, 4, 2, 3)
    barrier = FORK.Barrier(2)

    def other():
        mine = DifficultyTable.attach(path)
        assert (mine.shape, mine.dtype) == (table.shape, table.dtype)
        barrier.wait(20)  # attached
        barrier.wait(20)  # unlinked, row 1 written
        assert not path.exists()
        assert mine.read([1])[0][0, :, 2].tolist() == [1, 2]
        write(mine, [3], torch.tensor([[0]]), torch.tensor([[[5.0], [6.0]]]))
        mine.end_stage()

    process = FORK.Process(target=other, daemon=True)
    process.start()
    barrier.wait(20)
    table.unlink()
    table.unlink()  # harmless
    assert os.listdir(tmp_path) == []
    write(table, [1], torch.tensor([[2]]), torch.tensor([[[1.0], [2.0]]]))
    barrier.wait(20)
    process.join(20)
    assert process.exitcode == 0
    for part in table.read([1, 3]):
        assert part[0].tolist() == [[0, 0, 1], [0, 0, 2]]
        assert part[1].tolist() == [[5, 0, 0], [6, 0, 0]]


def test_the_identity_is_that_of_the_file(tmp_path):
    first, second = (DifficultyTable.create(tmp_path / name, 1, 1, 1) for name in 'ab')
    assert DifficultyTable.attach(tmp_path / 'a').identity == first.identity != ''
    assert first.identity != second.identity


def test_unlink_leaves_a_newer_file_of_that_name_alone(tmp_path):
    path = tmp_path / 'scratch'
    first = DifficultyTable.create(path, 1, 1, 1)
    first.unlink()
    DifficultyTable.create(path, 1, 1, 1)
    first.unlink()
    assert path.exists()


def test_processes_may_write_the_same_batches_at_the_same_time(tmp_path):
    sizes = dict(videos=12, patches=200, masked=150)
    alone = DifficultyTable.create(None, 12, 2, 200)
    for batch in batches(30, 16, **sizes):
        write(alone, *batch)
    shared = DifficultyTable.create(tmp_path / 'scratch', 12, 2, 200)
    barrier = FORK.Barrier(3)

    def rank():
        table = DifficultyTable.attach(tmp_path / 'scratch')
        for batch in batches(30, 16, **sizes):
            barrier.wait(20)
            write(table, *batch)
            write(table, *batch)

    run(rank, rank, rank)
    assert np.array_equal(shared.current, alone.current)


@pytest.mark.parametrize('on_disk', [True, False])
def test_chunked_operations_cover_everything(tmp_path, monkeypatch, on_disk):
    """Chunks of odd sizes: no page is lost when it leaves the resident memory."""
    monkeypatch.setattr('pmd_mmaction.dare.table.CHUNK_BYTES', mmap.PAGESIZE + 10)
    table = DifficultyTable.create(tmp_path / 'scratch' if on_disk else None, 50, 2, 301)
    for batch in batches(20, 50, videos=50, patches=301, masked=280):
        write(table, *batch)
    expected = table.current.copy()
    table.end_stage()
    assert np.array_equal(table.current, expected)
    assert np.array_equal(table.stage, expected)
    whole = b''.join(bytes(chunk) for chunk in table.chunks(4099))
    assert whole == expected.tobytes() * 2
    table.reset()
    assert not table.current.any() and not table.stage.any()


def test_resident_memory_stays_small(tmp_path):
    """A table of 128 MB passes through end_stage, save, load and reset in chunks of 16 MB."""
    table = DifficultyTable.create(tmp_path / 'scratch', 16 * 1024, 2, 1024)

    def work():
        mine = DifficultyTable.attach(tmp_path / 'scratch')
        before = psutil.Process().memory_info().rss
        mine.end_stage()
        table_file.save(mine, tmp_path / 'saved', {})
        table_file.load(mine, tmp_path / 'saved')
        mine.reset()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        assert peak - before < 80e6

    assert table.nbytes == 128 * 2**20
    run(work)


@pytest.mark.skipif(not hasattr(os, 'posix_fallocate'), reason='the system cannot reserve')
def test_space_is_reserved_at_creation(tmp_path):
    table = DifficultyTable.create(tmp_path / 'scratch', 1000, 2, 1000)
    assert os.stat(tmp_path / 'scratch').st_blocks * 512 >= table.nbytes


def test_too_little_space_is_an_error_before_anything_is_created(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=64_000_000)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage)
    message = r'needs 3\.011 GB in .*, where 0\.064 GB are free\. Choose another scratch directory'
    with pytest.raises(OSError, match=message) as caught:
        DifficultyTable.create(tmp_path / 'scratch', 240_000, 2, 1568)
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == []


def test_space_taken_by_others_meanwhile_is_the_same_error(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'posix_fallocate', full, raising=False)
    with pytest.raises(OSError, match=r'the difficulty table needs .* Choose another scratch'):
        DifficultyTable.create(tmp_path / 'scratch', 10, 2, 10)
    assert os.listdir(tmp_path) == []


def test_a_file_system_that_cannot_reserve_gets_a_sparse_file(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, 'Operation not supported')

    monkeypatch.setattr(os, 'posix_fallocate', unsupported, raising=False)
    table = DifficultyTable.create(tmp_path / 'scratch', 10, 2, 10)
    write(table, [3], torch.tensor([[1]]), torch.ones(1, 2, 1))
    assert DifficultyTable.attach(tmp_path / 'scratch').current[3, :, 1].tolist() == [1, 1]


def test_an_existing_file_is_not_touched(tmp_path):
    path = tmp_path / 'scratch'
    path.write_text('precious')
    with pytest.raises(FileExistsError, match='may belong to a running job'):
        DifficultyTable.create(path, 1, 1, 1)
    assert path.read_text() == 'precious'


def test_attach_refuses_what_is_not_a_complete_table(tmp_path):
    path = tmp_path / 'scratch'
    with pytest.raises(FileNotFoundError):
        DifficultyTable.attach(path)
    path.write_bytes(bytes(HEADER_BYTES))  # what another process sees during creation
    with pytest.raises(ValueError, match=r'not complete yet: .* \(barrier\)'):
        DifficultyTable.attach(path)
    path.unlink()
    DifficultyTable.create(path, 3, 2, 5)
    os.truncate(path, HEADER_BYTES + 10)
    with pytest.raises(ValueError, match=f'has {HEADER_BYTES + 10} bytes instead of'):
        DifficultyTable.attach(path)
