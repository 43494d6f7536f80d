"""A missing or unfit library of the stack is named together with the command that helps."""

import sys
from types import ModuleType

import pytest

from pmd_mmaction import compat
from pmd_mmaction.compat.requirements import Library, _numbers, check


def _library(name: str) -> tuple[Library, ...]:
    return (Library(name, '2.0.0', '2.2.0', 'pip install it'),)


def test_the_installed_stack_fits():
    check()


def test_a_missing_library_is_named():
    with pytest.raises(ImportError, match=r'no_such_lib >=2\.0\.0,<2\.2\.0.*pip install it'):
        check(_library('no_such_lib'))


@pytest.mark.parametrize(
    ('version', 'fits'),
    [('2.0.0', True), ('2.1.0+cpu', True), ('2.1', True), ('2.2.0', False), ('1.7.2', False)],
)
def test_the_version_must_be_in_the_range(monkeypatch, tmp_path, version, fits):
    (tmp_path / 'lib_of_test.py').write_text(f'__version__ = {version!r}')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'lib_of_test', raising=False)
    if fits:
        check(_library('lib_of_test'))
    else:
        with pytest.raises(ImportError, match=f'version {version} is installed.*pip install it'):
            check(_library('lib_of_test'))
    assert isinstance(sys.modules.pop('lib_of_test'), ModuleType)


def test_numbers_of_a_version():
    assert _numbers('2.1.0rc4') == (2, 1, 0)
    assert _numbers('0.10') == (0, 10, 0)
    assert _numbers('1.2.0.post1+cu118') == (1, 2, 0)


def test_apply_is_idempotent_and_status_names_every_fault():
    before = compat.status()
    compat.apply()
    assert compat.status() == before
    assert [item.name for item in before] == [
        'importlib-metadata',
        'drn-module',
        'multimodal',
        'checkpoint-loading',
        'checkpoint-download',
        'loader-without-workers',
        'cpu-init',
        'cpu-ddp',
        'cpu-strategy',
        'bfloat16-scale',
        'optimizer-state',
        'tf32',
        'default-hooks',
        'package-bases',
        'bfloat16-drops',
    ]
    assert all(item.repaired for item in before if item.present)


def test_nothing_is_repaired_where_no_fault_is_present(monkeypatch):
    done = []
    sound = compat.Repair('sound', 'none', lambda: False, lambda: done.append('sound'))
    ill = compat.Repair('ill', 'some', lambda: True, lambda: done.append('ill'))
    monkeypatch.setattr(compat, '_repairs', lambda: (sound, ill))
    monkeypatch.setattr(compat, '_repaired', set())
    compat.apply()
    compat.apply()
    assert done == ['ill']
    assert compat.status() == [('sound', 'none', False, False), ('ill', 'some', True, True)]


def test_a_library_without_its_window_system(monkeypatch, tmp_path):
    text = "raise ImportError('libGL.so.1: cannot open shared object file')"
    (tmp_path / 'lib_without_windows.py').write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    library = Library('lib_without_windows', '1', '2', 'pip install it')
    with pytest.raises(ImportError, match='opencv-python-headless'):
        check((library,))
