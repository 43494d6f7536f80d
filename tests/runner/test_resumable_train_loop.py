import pytest
from torch.utils.data import DataLoader, Dataset

from pmd_mmaction.runner.resumable_train_loop import without_first_batches


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
