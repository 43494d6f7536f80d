"""Whatever reads a file from elsewhere refuses hostile ones; nothing in them runs."""

import ast
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer

from pmd_mmaction.compat.checkpoint import load_from_local
from pmd_mmaction.curation.finished_files import Journal
from pmd_mmaction.dare import table_file
from pmd_mmaction.hooks.curriculum.phase_file import read_phase_file
from pmd_mmaction.models.teachers.weights import read_state_dict
from tools import convert_checkpoint, publish_model

ROOT = Path(__file__).parents[1]
FOLDERS = ('pmd_mmaction', 'tools', 'configs', 'benchmarks')


class _Touch:
    """Pickles into a command that leaves a file."""

    def __reduce__(self):
        return os.system, ('touch ran',)


def _hostile_pickle(path: Path) -> None:
    torch.save(dict(state_dict=dict(w=torch.ones(1)), meta=dict(phase=1), x=_Touch()), path)


def _zip_slip(path: Path) -> None:
    """A checkpoint whose members name places outside of it."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('../data.pkl', pickle.dumps(dict(state_dict={}), 2))
        archive.writestr('../escaped', 'x')
        archive.writestr('../version', '3\n')


READERS = {
    'checkpoint': lambda path: load_from_local(str(path), 'cpu'),
    'teacher': lambda path: read_state_dict(str(path)),
    'phase file': read_phase_file,
}


@pytest.mark.parametrize('reader', READERS)
def test_a_hostile_checkpoint_is_refused(tmp_path, monkeypatch, reader):
    monkeypatch.chdir(tmp_path)
    _hostile_pickle(tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError):
        READERS[reader](tmp_path / 'bad.pth')
    assert os.listdir(tmp_path) == ['bad.pth']


class _Reference:
    """Pickles into the class's own ``getattr`` of something that is no statistics method."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, 'register_statistics')


class _Built:
    """Pickles into a ``HistoryBuffer`` that is called with arguments."""

    def __reduce__(self):
        return HistoryBuffer, ([1.0], [1])


def _history(**state) -> HistoryBuffer:
    history = HistoryBuffer()
    history.__dict__.update(state)
    return history


HISTORIES = {
    'numbers that are a command': lambda: _history(_log_history=_Touch()),
    'a method that is a command': lambda: _history(_statistics_methods=dict(mean=_Touch())),
    'a name that is a command': lambda: _history(_log_history={_Touch(): 1}),
    'a reference': _Reference,
    'arguments': _Built,
}


@pytest.mark.parametrize('kind', HISTORIES)
@pytest.mark.parametrize('reader', READERS)
def test_what_looks_like_a_log_is_refused(tmp_path, monkeypatch, reader, kind):
    monkeypatch.chdir(tmp_path)
    content = dict(state_dict=dict(w=torch.ones(1)), message_hub=HISTORIES[kind]())
    torch.save(content, tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError):
        READERS[reader](tmp_path / 'bad.pth')
    assert os.listdir(tmp_path) == ['bad.pth']


@pytest.mark.parametrize('reader', READERS)
def test_an_archive_writes_nothing_outside(tmp_path, monkeypatch, reader):
    inner = tmp_path / 'inner'
    inner.mkdir()
    monkeypatch.chdir(inner)
    _zip_slip(inner / 'bad.pth')
    try:
        # torch reads members in memory: to it '../data.pkl' is a name like any other
        assert READERS[reader](inner / 'bad.pth') == dict(state_dict={})
    except (RuntimeError, ValueError):
        pass  # or it is no checkpoint of theirs
    assert os.listdir(tmp_path) == ['inner'] and os.listdir(inner) == ['bad.pth']


@pytest.mark.parametrize('script', ['publish_model', 'convert_checkpoint'])
@pytest.mark.parametrize('write', [_hostile_pickle, _zip_slip])
def test_a_tool_refuses_a_hostile_checkpoint(tmp_path, monkeypatch, capsys, script, write):
    inner = tmp_path / 'inner'
    inner.mkdir()
    write(inner / 'bad.pth')
    options = dict(
        publish_model=['--keep', 'backbone'],
        convert_checkpoint=['--from', 'videomae', '--to', 'mmaction'],
    )[script]
    monkeypatch.chdir(inner)
    tool = dict(publish_model=publish_model, convert_checkpoint=convert_checkpoint)[script]
    assert tool.main(['bad.pth', 'out.pth', *options]) != 0
    assert 'bad.pth' in capsys.readouterr().err
    assert os.listdir(tmp_path) == ['inner'] and os.listdir(inner) == ['bad.pth']


@pytest.mark.parametrize('claimed', [2**60, 2**40, 2**31])
def test_a_huge_header_of_safetensors_is_refused_without_allocating(tmp_path, claimed):
    path = tmp_path / 'bad.safetensors'
    path.write_bytes(struct.pack('<Q', claimed) + b'{}' * 100)
    with pytest.raises(Exception, match=r'(?i)header|bad\.safetensors'):
        read_state_dict(str(path))


def test_a_huge_header_of_a_table_is_refused_without_allocating(tmp_path):
    path = tmp_path / 'bad.table'
    path.write_bytes(b'PMDTABLE' + struct.pack('<II', 1, 2**32 - 1) + b'{' * 100)
    tracemalloc.start()
    with pytest.raises(ValueError, match='unreadable header'):
        table_file.inspect(path)
    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    tracemalloc.stop()


def test_a_pickle_is_no_journal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('journal').write_bytes(pickle.dumps(_Touch()) + b'\n')
    with pytest.raises(ValueError, match='not the journal'):
        Journal(Path('journal'), {})
    assert os.listdir() == ['journal']


@pytest.mark.parametrize('name', ['a b', "it's", 'a"b', 'a\nb', '$(touch ran)', '-rf'])
def test_the_journal_keeps_any_file_name(tmp_path, name):
    journal = Journal(tmp_path / 'journal', {})
    journal.add(name, dict(ok=True))
    journal.close()
    assert Journal(tmp_path / 'journal', {}).get(name) == dict(ok=True)


# --- the source ---

FORBIDDEN = {
    'eval', 'exec', 'os.system', 'os.popen', 'pickle.load', 'pickle.loads', 'yaml.load',
    'marshal.loads', 'shelve.open', 'dill.load', 'joblib.load',
}  # fmt: skip


def dangerous_calls(source: str) -> list[str]:
    """What of a source can run text or unpickle anything."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name, options = ast.unparse(node.func), {k.arg: k.value for k in node.keywords}
        if name in FORBIDDEN:
            found.append(name)
        if 'shell' in options:
            found.append('shell=')
        safe = getattr(options.get('weights_only'), 'value', None) is True
        if name == 'torch.load' and not safe:
            found.append(name)
        allows = getattr(options.get('allow_pickle'), 'value', False)
        if name.endswith('.load') and allows:
            found.append('allow_pickle')
    return found


@pytest.mark.parametrize(
    'source',
    [
        'exec("x")', 'os.system("x")', 'yaml.load(f)', 'pickle.load(f)', 'run(x, shell=True)',
        'torch.load(f)', 'torch.load(f, weights_only=False)', 'np.load(f, allow_pickle=True)',
    ],
)  # fmt: skip
def test_a_dangerous_call_is_seen(source):
    assert dangerous_calls(source)


def test_nothing_runs_text_or_unpickles():
    files = [ROOT / 'setup.py', ROOT / 'noxfile.py']
    files += [path for folder in FOLDERS for path in ROOT.joinpath(folder).rglob('*.py')]
    files = [path for path in files if path.is_file()]
    assert len(files) > 50
    found = {str(path): dangerous_calls(path.read_text(encoding='utf-8')) for path in files}
    found = {path: calls for path, calls in found.items() if calls}
    # To see whether mmengine's loader has the fault, it is asked to read bytes made there.
    allowed = str(ROOT / 'pmd_mmaction' / 'compat' / 'checkpoint.py')
    assert found.pop(allowed, ['torch.load']) == ['torch.load']
    assert not found
