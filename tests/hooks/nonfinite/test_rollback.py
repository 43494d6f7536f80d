"""Parts of a rollback; tests/integration/test_non_finite.py has a whole one."""

import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.optim import OptimWrapper
from torch.utils.data import DataLoader, SequentialSampler

from pmd_mmaction.hooks import NonFiniteHook
from pmd_mmaction.hooks.nonfinite import rollback
from pmd_mmaction.hooks.nonfinite.rollback import RollbackLog, agreed_checkpoint, reorder


def loader(seed=0, batch_sampler=False):
    data = list(range(20))
    sampler = DefaultSampler(data, shuffle=True, seed=seed)
    if batch_sampler:
        return DataLoader(data, batch_sampler=torch.utils.data.BatchSampler(sampler, 4, True))
    return DataLoader(data, sampler=sampler)


def order(rollbacks, **options):
    made = loader(**options)
    reorder(made, rollbacks)
    return torch.cat(list(made)).tolist()


@pytest.mark.parametrize('batch_sampler', [False, True])
def test_each_rollback_gives_another_order(batch_sampler):
    orders = [order(n, batch_sampler=batch_sampler) for n in range(4)]
    assert orders[0] == torch.cat(list(loader())).tolist()
    assert len({tuple(x) for x in orders}) == 4
    assert all(sorted(x) == list(range(20)) for x in orders)
    assert order(2) == orders[2] != order(2, seed=1)


def test_a_sampler_without_seed_is_refused():
    data = DataLoader([1, 2], sampler=SequentialSampler([1, 2]))
    reorder(data, 0)
    with pytest.raises(ValueError, match='needs a sampler with a seed, not SequentialSampler'):
        reorder(data, 1)


def test_the_log_grows(tmp_path):
    log = RollbackLog(tmp_path / 'rollbacks.json')
    assert log.read() == []
    log.add(checkpoint='epoch_1.pth', epoch=1, iter=5)
    log.add(checkpoint='epoch_2.pth', epoch=2, iter=9)
    expected = [
        dict(checkpoint='epoch_1.pth', epoch=1, iter=5),
        dict(checkpoint='epoch_2.pth', epoch=2, iter=9),
    ]
    assert log.read() == expected == json.loads((tmp_path / 'rollbacks.json').read_text())
    log.clear()
    assert log.read() == []
    log.clear()


def test_the_newest_complete_checkpoint_is_found(tmp_path):
    assert agreed_checkpoint(tmp_path) is None
    for epoch in (1, 2):
        torch.save(dict(state_dict={}), tmp_path / f'epoch_{epoch}.pth')
    (tmp_path / 'last_checkpoint').write_text('/moved/from/here/epoch_2.pth')
    assert agreed_checkpoint(tmp_path) == str(tmp_path / 'epoch_2.pth')
    (tmp_path / 'epoch_2.pth').write_bytes(b'cut short')
    with pytest.warns(UserWarning, match='going back to the checkpoint before it'):
        assert agreed_checkpoint(tmp_path) == str(tmp_path / 'epoch_1.pth')


def test_no_complete_checkpoint_is_told(tmp_path):
    (tmp_path / 'epoch_1.pth').write_bytes(b'cut short')
    with pytest.warns(UserWarning, match='none of the 1 checkpoint'):
        assert agreed_checkpoint(tmp_path) is None


def test_a_disk_that_fails_is_told(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(5, 'Input/output error')

    monkeypatch.setattr(rollback, 'newest_complete', fail)
    with pytest.warns(UserWarning, match='Input/output error'):
        assert agreed_checkpoint(tmp_path) is None


@pytest.mark.parametrize('begun, kept', [(0, 0), (3, 1)])
def test_a_fresh_run_forgets_those_of_an_earlier_one(tmp_path, begun, kept):
    log = RollbackLog(tmp_path / 'nonfinite' / 'rollbacks.json')
    log.path.parent.mkdir()
    log.add(checkpoint='epoch_1.pth', epoch=1, iter=5)
    model = torch.nn.Linear(1, 1)
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    runner = SimpleNamespace(work_dir=tmp_path, iter=begun, model=model, optim_wrapper=optimizer)
    NonFiniteHook().before_train(runner)
    assert len(log.read()) == kept
