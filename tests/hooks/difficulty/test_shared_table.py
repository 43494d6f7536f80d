"""Three gloo ranks divide the writing of one table; what each reads is what one process would."""

import random
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from pmd_mmaction.dare import DifficultyTable, TableLayout, pack_rows
from pmd_mmaction.hooks.difficulty import shared_table
from pmd_mmaction.hooks.difficulty.shared_table import TableShare, create_shared_table
from tests.dare.writing import write
from tests.integration import processes, tiny

RANKS, VIDEOS, TEACHERS, PATCHES, MASKED, CLIPS, STEPS = 3, 7, 2, 40, 30, 4, 12
SIZES = (VIDEOS, TEACHERS, PATCHES, 'float16')


def _rows(smoothed):
    return pack_rows(torch.arange(MASKED)[None], smoothed, TableLayout(*SIZES))


def _batches():
    """Of all ranks: 12 clips of 7 videos, so copies meet in a batch and in neighbouring ones."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        shape = (RANKS, CLIPS)
        yield (
            torch.randint(VIDEOS, shape, generator=generator),
            torch.rand(*shape, PATCHES, generator=generator).argsort(-1)[..., :MASKED],
            torch.rand(*shape, TEACHERS, MASKED, generator=generator),
        )


def _leave_after(function):
    dist.init_process_group('gloo')
    try:
        return function(dist.get_rank())
    finally:
        dist.destroy_process_group()


SKIPPED = (4, 7)  # steps whose losses are not finite on some rank


def _share_one_table(out: Path, slowest: str) -> None:
    """Each rank reads and writes; one operation takes a random time, another one on each rank."""

    def rank_loop(rank):
        share = create_shared_table(*SIZES, str(out))
        rng, merge, stored = random.Random(rank), DifficultyTable._merge, []

        def pause(what):
            if slowest in (what, f'{what} on rank {rank}'):
                time.sleep(rng.random() * 0.02)

        def slow_merge(self, videos, rows):
            stored[-1].update(videos.tolist())
            pause('store')
            merge(self, videos, rows)

        DifficultyTable._merge = slow_merge
        read = []
        for step, batch in enumerate(_batches()):
            videos, masked, smoothed = (part[rank] for part in batch)
            stored.append(set())
            share.bring_up(videos.tolist())
            pause('read')
            read.append(share.table.read(videos.tolist())[0])
            if step not in SKIPPED:
                pause('write')
                share.write(videos.tolist(), pack_rows(masked, smoothed, share.table.layout))
        stored.append(set())
        share.complete()
        torch.save(
            dict(
                read=read,
                stored=stored,
                table=share.table.current.copy(),
                share=(share.place, share.sharers, share.owner),
            ),
            out / f'{rank}.pth',
        )

    _leave_after(rank_loop)


SLOWEST = ('nothing', 'store', 'read', 'store on rank 1', 'read on rank 2', 'write on rank 0')


@pytest.fixture(scope='module', params=SLOWEST)
def ranks(request, tmp_path_factory):
    """What each rank read and stored."""
    out = tmp_path_factory.mktemp('shared')
    processes.run_ranks(_share_one_table, out / 'log', out, request.param, ranks=RANKS)
    assert not list(out.glob('pmd-difficulty*')), 'the scratch file lost its name'
    return [tiny.read_checkpoint(out / f'{rank}.pth') for rank in range(RANKS)]


def test_every_read_sees_all_writes_before(ranks):
    alone = DifficultyTable.create(None, *SIZES)
    for step, (videos, masked, smoothed) in enumerate(_batches()):
        for rank in range(RANKS):
            expected = alone.read(videos[rank].tolist())[0]
            assert torch.equal(ranks[rank]['read'][step], expected), (step, rank)
        if step not in SKIPPED:
            write(alone, videos.flatten(), masked.flatten(0, 1), smoothed.flatten(0, 1))
    assert alone.current.any((1, 2)).all()
    for notes in ranks:
        assert np.array_equal(notes['table'], alone.current)


def test_a_rank_stores_its_share_and_what_it_reads(ranks):
    assert [notes['share'] for notes in ranks] == [(0, 3, True), (1, 3, False), (2, 3, False)]
    batches = [videos for videos, _, _ in _batches()]
    for rank, notes in enumerate(ranks):
        for step in range(1, STEPS):
            before = max(i for i in range(step) if i not in SKIPPED)
            arrived = set(batches[before].flatten().tolist())
            expected = arrived & set(batches[step][rank].tolist())
            if before == step - 1:
                expected |= {video for video in arrived if video % RANKS == rank}
            assert notes['stored'][step] == expected, (rank, step)


@pytest.mark.parametrize('given', [True, False])
def test_a_process_alone_uses_the_folder_that_it_is_given(tmp_path, monkeypatch, given):
    made = []
    create = DifficultyTable.create
    monkeypatch.setattr(
        DifficultyTable, 'create', lambda path, *sizes: made.append(path) or create(path, *sizes)
    )
    share = create_shared_table(*SIZES, str(tmp_path) if given else None)
    assert [path and path.parent for path in made] == [tmp_path if given else None]
    assert not list(tmp_path.iterdir()), 'a run that is killed leaves nothing'
    share.write([2], _rows(torch.ones(1, TEACHERS, MASKED)))
    share.complete()
    assert share.table.current[2].any()


def test_a_table_that_was_completed_is_left_alone():
    share = TableShare(DifficultyTable.create(None, *SIZES), sharers=2)
    share.write([2], _rows(torch.ones(1, TEACHERS, MASKED)))
    share.complete()
    assert share.table.current.any()
    share.table.reset()
    share.bring_up([2])
    share.complete()
    assert not share.table.current.any()


def _diverge_on_one_rank(out: Path) -> None:
    def rank_loop(rank):
        share = create_shared_table(*SIZES, str(out))
        smoothed = torch.ones(1, TEACHERS, MASKED)
        if rank == 1:
            smoothed[0, 1, 3] = torch.nan
        share.write([3 + rank], _rows(smoothed))
        with pytest.raises(ValueError, match='smoothed loss of video 4 is not finite'):
            share.bring_up([3 + rank])
        share.complete()
        assert not share.table.current.any()

    _leave_after(rank_loop)


def test_a_loss_that_is_not_finite_stops_every_rank(tmp_path):
    processes.run_ranks(_diverge_on_one_rank, tmp_path / 'log', tmp_path, ranks=2)


def test_nodes_are_told_apart_by_the_table_they_map(monkeypatch):
    """Ranks 0 and 3 share a table, as do 1 and 2; this is rank 2."""
    identities = ['a', 'b', 'b', 'a']
    monkeypatch.setattr(shared_table, 'get_world_size', lambda: 4)
    monkeypatch.setattr(shared_table, 'get_rank', lambda: 2)
    monkeypatch.setattr(shared_table, 'broadcast_object_list', lambda names: None)
    monkeypatch.setattr(shared_table, 'barrier', lambda: None)

    def gather(identity):
        return [identity if other == 'b' else other for other in identities]

    monkeypatch.setattr(shared_table, 'all_gather_object', gather)
    share = create_shared_table(*SIZES, None)
    assert (share.place, share.sharers, share.owner) == (1, 2, False)
    assert share.directory == Path('/dev/shm')


def test_a_start_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def lost():
        raise RuntimeError('a rank is gone')

    monkeypatch.setattr(shared_table, 'barrier', lost)
    with pytest.raises(RuntimeError, match='a rank is gone'):
        create_shared_table(*SIZES, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_one_process_has_the_table_for_itself():
    share = create_shared_table(*SIZES, None)
    assert isinstance(share, TableShare)
    assert (share.place, share.sharers, share.owner) == (0, 1, True)
    assert share.directory is None
    share.write([2], _rows(torch.ones(1, TEACHERS, MASKED)))
    share.bring_up()
    assert np.array_equal(share.table.current[2, 0], np.arange(PATCHES) < MASKED)
