import pytest
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader, Dataset

from pmd_mmaction.runner import resumable_train_loop
from pmd_mmaction.runner.resumable_train_loop import without_first_batches
from tests.integration import tiny


class Noted(Dataset):
    def __init__(self):
        self.read = []

    def __len__(self):
        return 10

    def __getitem__(self, index):
        self.read.append(index)
        return index


@pytest.mark.parametrize('count, left', [(0, [3, 3, 3, 1]), (2, [3, 1]), (4, [])])
def test_first_batches_are_neither_given_nor_read(count, left):
    data = Noted()
    loader = DataLoader(data, batch_size=3, shuffle=False)
    sampler = loader.batch_sampler.sampler
    with without_first_batches(loader, count) as batches:
        assert [len(batch) for batch in batches] == left
        assert len(batches) == 4
    assert data.read == list(range(min(3 * count, 10), 10))
    assert loader.batch_sampler.sampler is sampler
    assert len(list(loader)) == 4


def test_persistent_workers_go_back_to_whole_epochs():
    loader = DataLoader(range(10), batch_size=3, num_workers=1, persistent_workers=True)
    with without_first_batches(loader, 3) as batches:
        assert [batch.tolist() for batch in batches] == [[9]]
    assert len(list(loader)) == 4


def test_other_batches_are_refused():
    loader = DataLoader(range(4), batch_sampler=[[0, 1], [2, 3]])
    with (
        pytest.raises(TypeError, match='list, which has no sampler'),
        without_first_batches(loader, 1),
    ):
        pass


@pytest.mark.parametrize('own, expected', [(None, 5), (7, 7)])
def test_the_sampler_gets_the_seed_of_the_checkpoint(tmp_path, monkeypatch, own, expected):
    """MMEngine builds it before, with the seed of this process; one of the config stays."""
    runner = tiny.build(tiny.tiny_config(tiny.make_clips(tmp_path / 'demo'), tmp_path))
    loop = runner.train_loop
    monkeypatch.setattr(EpochBasedTrainLoop, 'run', lambda self: None)
    if own is not None:
        loop.dataloader.sampler.seed = own
    runner._seed = 5
    loop.run()
    assert loop.dataloader.sampler.seed == expected


def test_ranks_with_seeds_of_their_own_share_the_sampler_s(tmp_path, monkeypatch):
    """MMEngine would draw that one, and no checkpoint would know it."""
    monkeypatch.setattr(resumable_train_loop, 'get_rank', lambda: 3)
    cfg = tiny.tiny_config(tiny.make_clips(tmp_path / 'demo'), tmp_path)
    cfg.randomness = dict(seed=7, diff_rank_seed=True)
    runner = tiny.build(cfg)
    runner._seed = 7 + 3
    loop = runner.train_loop
    assert loop.dataloader.sampler.seed == 7
    monkeypatch.setattr(EpochBasedTrainLoop, 'run', lambda self: None)
    runner._seed = 5 + 3  # of a checkpoint
    loop.run()
    assert loop.dataloader.sampler.seed == 5
