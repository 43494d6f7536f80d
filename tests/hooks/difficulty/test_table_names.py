"""Names, pruning and finding of difficulty tables."""

import pytest

from pmd_mmaction.dare import DifficultyTable, dataset_fingerprint, table_file
from pmd_mmaction.hooks.difficulty.table_names import (
    find_table,
    prune_tables,
    table_damage,
    table_name,
)


def _touch(directory, *names):
    for name in names:
        (directory / name).touch()


def _tables(directory):
    return sorted(path.name for path in directory.glob('*.table'))


def test_the_name_holds_epoch_and_iteration():
    assert table_name(3, 12) == 'difficulty_epoch_3_iter_12.table'


@pytest.mark.parametrize(
    'checkpoint', ['epoch_3.pth', 'iter_12.pth', 'best_acc_top1_epoch_3.pth', 'best_x_iter_12.pth']
)
def test_a_table_stays_with_its_checkpoint(tmp_path, checkpoint):
    _touch(tmp_path, checkpoint, table_name(3, 12))
    prune_tables(tmp_path, keep=table_name(4, 16))
    assert _tables(tmp_path) == [table_name(3, 12)]


@pytest.mark.parametrize(
    'checkpoint', ['epoch_13.pth', 'epoch_30.pth', 'iter_3.pth', 'epoch_3.pth.tmp', 'epoch_3.ckpt']
)
def test_a_table_goes_with_its_checkpoint(tmp_path, checkpoint):
    _touch(tmp_path, checkpoint, table_name(3, 12))
    prune_tables(tmp_path, keep=table_name(4, 16))
    assert _tables(tmp_path) == []


def test_the_table_about_to_be_written_stays(tmp_path):
    _touch(tmp_path, table_name(3, 12))
    prune_tables(tmp_path, keep=table_name(3, 12))
    assert _tables(tmp_path) == [table_name(3, 12)]


def test_other_files_stay(tmp_path):
    names = ['difficulty_mine.table', 'difficulty_epoch_1_iter_4.table.bak', 'notes.txt']
    _touch(tmp_path, *names)
    prune_tables(tmp_path, keep='')
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_the_first_directory_that_has_the_table_wins(tmp_path):
    for name in ('a', 'b', 'c'):
        (tmp_path / name).mkdir()
    _touch(tmp_path / 'b', 'x.table')
    _touch(tmp_path / 'c', 'x.table')
    found = find_table('x.table', [tmp_path / name for name in ('a', 'b', 'c')])
    assert found == tmp_path / 'b' / 'x.table'


def test_a_missing_table_is_explained(tmp_path):
    with pytest.raises(ValueError, match=r'x\.table.*copy it next to the checkpoint') as error:
        find_table('x.table', [tmp_path, tmp_path])
    assert str(error.value).count(str(tmp_path)) == 1


def test_a_damaged_table_is_recognised(tmp_path):
    path = tmp_path / 'x.table'
    table = DifficultyTable.create(None, 3, 2, 4)
    digest = table_file.save(table, path, dataset_fingerprint(['a', 'b', 'c']), {})
    assert table_damage(path, digest) is None
    assert 'the checkpoint names 0000' in table_damage(path, '0' * 64)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert 'has the digest' in table_damage(path, digest)
    path.write_bytes(b'')
    assert table_damage(path, digest)
    path.unlink()
    assert 'x.table' in table_damage(path, digest)
