"""A journal survives a crash in the middle of a line."""

import pytest

from pmd_mmaction.curation.finished_files import Journal


def test_results_are_found_again(tmp_path):
    path = tmp_path / 'new' / 'journal'
    journal = Journal(path, dict(a=1))
    journal.add('x', dict(n=1))
    journal.add('odd \udc80\n name', dict(n=2))
    again = Journal(path, dict(a=1))
    assert again.get('x') == dict(n=1) and again.get('odd \udc80\n name') == dict(n=2)
    assert again.get('y') is None


def test_other_settings_are_other_results(tmp_path):
    Journal(tmp_path / 'j', dict(a=1)).add('x', dict(n=1))
    other = Journal(tmp_path / 'j', dict(a=2))
    assert other.get('x') is None
    other.add('x', dict(n=2))
    assert Journal(tmp_path / 'j', dict(a=1)).get('x') == dict(n=1)


def test_a_line_cut_off_does_not_count(tmp_path):
    path = tmp_path / 'j'
    for key in ('x', 'y'):
        Journal(path, {}).add(key, dict(n=1))
    path.write_bytes(path.read_bytes()[:-5])
    journal = Journal(path, {})
    assert journal.get('x') and journal.get('y') is None
    journal.add('y', dict(n=3))
    assert Journal(path, {}).get('y') == dict(n=3)


def test_another_file_is_not_overwritten(tmp_path):
    (tmp_path / 'j').write_text('a diary\n')
    with pytest.raises(ValueError, match='line 1'):
        Journal(tmp_path / 'j', {})
    assert (tmp_path / 'j').read_text() == 'a diary\n'
