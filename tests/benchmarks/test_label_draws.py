"""Which work directories label_draws.py takes for cells."""

import pytest


@pytest.fixture
def draws(benchmark_module):
    return benchmark_module('label_draws')


def make(folder, *names):
    for name in names:
        (folder / name).mkdir()
        (folder / name / 'student.pth').touch()
    return sorted(folder.iterdir())


def test_cells_are_told_by_method_length_and_seed(draws, tmp_path):
    names = 'a_12epochs_seed0_1f', 'a_12epochs_seed1_2e', 'a_62epochs_seed0_3d'
    folders = make(tmp_path, *names)
    (tmp_path / 'b_12epochs_seed0_4c').mkdir()  # not finished
    found = draws.cells([*folders, tmp_path / 'b_12epochs_seed0_4c'])
    assert found == dict(zip([('a_12epochs', 0), ('a_12epochs', 1), ('a_62epochs', 0)], folders))


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (('a_12epochs_seed0_1f', 'a_12epochs_seed0_2e'), 'are two versions of a cell'),
        (('a_12epochs_seed0_1f', 'b'), 'b is not the work directory of a cell'),
    ],
)
def test_other_folders_are_refused(draws, tmp_path, names, message):
    with pytest.raises(SystemExit, match=message):
        draws.cells(make(tmp_path, *names))
