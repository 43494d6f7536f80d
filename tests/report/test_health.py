import pytest

from pmd_mmaction.report.health import check_log

GOOD = dict(
    loss={1: 3.0, 2: 2.0}, time={1: 1.0, 2: 1.0}, data_time={1: 0.1, 2: 0.1}, grad_norm={1: 1.0}
)


def verdicts(tmp_path, **changes):
    rows = check_log({**GOOD, **changes}, tmp_path)
    return [what for verdict, what, _ in rows if verdict == 'look']


def test_a_healthy_run(tmp_path):
    assert verdicts(tmp_path) == []
    assert len(check_log(GOOD, tmp_path)) == 5


@pytest.mark.parametrize(
    'changes, what',
    [
        (dict(loss={1: 2.0, 2: 3.0}), 'loss has fallen'),
        (dict(data_time={1: 0.5, 2: 0.5}), 'data come in time'),
        (dict(grad_norm={1: float('inf')}), 'gradients are finite'),
    ],
)
def test_an_ill_run(tmp_path, changes, what):
    assert verdicts(tmp_path, **changes) == [what]


def test_skipped_steps(tmp_path):
    (tmp_path / 'nonfinite').mkdir()
    for name in ('epoch_1_iter_7_rank_0.json', 'epoch_1_iter_7_rank_1.json', 'rollbacks.json'):
        (tmp_path / 'nonfinite' / name).touch()
    (tmp_path / 'nonfinite' / 'epoch_1_iter_7.pth').touch()
    assert verdicts(tmp_path) == ['no step was skipped']
    (told,) = (found for _, what, found in check_log(GOOD, tmp_path) if 'skipped' in what)
    assert told == '1 recorded in nonfinite/'
    assert 'loss is finite' in verdicts(tmp_path, loss={1: float('nan'), 2: 1.0})
