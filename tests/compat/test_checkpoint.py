"""Checkpoints of the Runner load; files that hide code do not, and none of it runs."""

import os
import pickle
import zipfile
from argparse import Namespace
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import save_file

import pmd_mmaction  # noqa: F401
from pmd_mmaction.compat import checkpoint
from tests.every import every

load = checkpoint.load_from_local


def _checkpoint() -> dict:
    hub = MessageHub('test_checkpoint')
    for value in (1.5, 2.5, 4.0):
        hub.update_scalar('train/loss', value)
    hub.update_info('eta', np.float64(3.25))
    hub.update_info('table', np.arange(6, dtype='>i4').reshape(2, 3).T)
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return dict(
        meta=dict(epoch=1, seed=np.int64(7), flag=np.bool_(True)),
        state_dict=model.state_dict(),
        optimizer=optimizer.state_dict(),
        message_hub=hub.state_dict(),
        nested=[(np.zeros((0, 2), np.float16), [np.uint8(3)])],
    )


@pytest.mark.parametrize('zipped', [True, False])
def test_a_runner_checkpoint_comes_back_whole(tmp_path, zipped):
    saved, path = _checkpoint(), str(tmp_path / 'epoch_1.pth')
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)

    loaded = CheckpointLoader.load_checkpoint(path, map_location='cpu', logger='silent')

    assert loaded['meta'] == saved['meta']
    assert type(loaded['meta']['seed']) is np.int64
    torch.testing.assert_close(loaded['optimizer'], saved['optimizer'], rtol=0, atol=0)
    hub = loaded['message_hub']
    assert hub['runtime_info']['eta'] == 3.25
    table, expected = hub['runtime_info']['table'], saved['message_hub']['runtime_info']['table']
    assert table.dtype == expected.dtype and table.flags == expected.flags
    np.testing.assert_array_equal(table, expected)
    array, (scalar,) = loaded['nested'][0]
    assert array.shape == (0, 2) and array.dtype == np.float16 and scalar == 3
    # The log goes on where it stopped, as an ordinary buffer.
    log = hub['log_scalars']['train/loss']
    assert type(log) is HistoryBuffer and log.max_length == 1000000
    log.update(8.0)
    assert log.data[0].tolist() == [1.5, 2.5, 4.0, 8.0]
    assert log.statistics('mean', 2) == 6.0
    # What is loaded can be saved and loaded again.
    torch.save(loaded, path)
    assert load(path, 'cpu')['message_hub']['log_scalars']['train/loss'].current() == 8.0


def test_map_location_is_obeyed(tmp_path):
    path = str(tmp_path / 'a.pth')
    torch.save(_checkpoint(), path)
    assert load(path, 'meta')['state_dict']['weight'].is_meta


def test_the_allow_list_is_not_left_behind(tmp_path):
    before = set(map(str, torch.serialization.get_safe_globals()))
    torch.save(_checkpoint(), tmp_path / 'a.pth')
    load(str(tmp_path / 'a.pth'), 'cpu')
    assert set(map(str, torch.serialization.get_safe_globals())) == before


def test_a_saved_command_line_is_data(tmp_path):
    path = str(tmp_path / 'videomae.pth')
    torch.save(dict(model=dict(w=torch.ones(1)), args=Namespace(lr=1e-3, device='cuda')), path)
    loaded = load(path)
    assert loaded['args'].lr == 1e-3


def test_safetensors(tmp_path):
    path = str(tmp_path / 'a.safetensors')
    save_file({'w': torch.arange(3.0)}, path)
    assert load(path)['w'].tolist() == [0, 1, 2]
    assert load(path, torch.device('cpu'))['w'].device.type == 'cpu'


# --- files that hide code ---


class _Call:
    """Pickles into the call of a function."""

    def __init__(self, function, *args, state=None):
        self.parts = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.parts


def _names(*lines: bytes) -> bytes:
    return b'\x80\x02' + b''.join(lines) + b'.'


_OBJECT_DTYPE = b'cnumpy\ndtype\nX\x02\x00\x00\x00O8\x89\x88\x87R'
_F8 = b'cnumpy\ndtype\nX\x02\x00\x00\x00f8\x89\x88\x87R'
_HISTORY = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'
STREAMS = {
    'os.system': _names(b'cos\nsystem\nX\x08\x00\x00\x00touch it\x85R'),
    'posix.system': _names(b'cposix\nsystem\nX\x08\x00\x00\x00touch it\x85R'),
    'eval': _names(b'cbuiltins\neval\nX\x01\x00\x00\x001\x85R'),
    'nested torch.load': _names(b'ctorch.storage\n_load_from_bytes\nU\x01a\x85R'),
    'getattr of a module': _names(
        b'cbuiltins\ngetattr\ncmmengine.logging\nHistoryBuffer\nX\x04\x00\x00\x00load\x86R'
    ),
    'getattr to globals': _names(
        b'cbuiltins\ngetattr\n' + _HISTORY + b'X\x08\x00\x00\x00__init__\x86R'
    ),
    'getattr of getattr': _names(
        b'cbuiltins\ngetattr\ncbuiltins\ngetattr\nX\x0b\x00\x00\x00__globals__\x86R'
    ),
    'HistoryBuffer with arguments': _names(_HISTORY + b'U\x01aU\x01a\x86R'),
    'HistoryBuffer with a foreign state': _names(
        _HISTORY
        + b')\x81}(X\x12\x00\x00\x00statistics_methods}X\x04\x00\x00\x00meancos\nsystem\nsub'
    ),
    'HistoryBuffer without arrays': _names(
        _HISTORY + b')\x81}(X\x0c\x00\x00\x00_log_history]X\x0e\x00\x00\x00_count_history]'
        b'X\x0a\x00\x00\x00max_lengthK\x01ub'
    ),
    'a changed class': _names(_HISTORY + b'}X\x04\x00\x00\x00mean' + _HISTORY + b'sb'),
    'an array of pointers': _names(_OBJECT_DTYPE),
    'a record that hides pointers': _names(
        _F8 + b'(K\x03X\x01\x00\x00\x00<NX\x01\x00\x00\x00a\x85}K\x08K\x08K\x00tb'
    ),
    'a dtype given as a list': _names(b'cnumpy\ndtype\n]\x85R'),
    'numpy.load': _names(b'cnumpy\nload\nX\x01\x00\x00\x00a\x85R'),
    'dotted name': _names(b'cnumpy\nf2py.os.system\nX\x01\x00\x00\x00a\x85R'),
    'a stand-in by its own name': _names(b'cpmd_mmaction.compat.checkpoint\npickle\n'),
}


def _write_zip(path, stream: bytes) -> None:
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', stream)
        archive.writestr('archive/version', '3\n')
        archive.writestr('archive/byteorder', 'little')


def _write_legacy(path, stream: bytes) -> None:
    with open(path, 'wb') as file:
        pickle.dump(torch.serialization.MAGIC_NUMBER, file, protocol=2)
        pickle.dump(torch.serialization.PROTOCOL_VERSION, file, protocol=2)
        pickle.dump(dict(little_endian=True), file, protocol=2)
        file.write(stream)


@pytest.mark.parametrize('write', [_write_zip, _write_legacy])
@every('name', STREAMS)
def test_a_hostile_stream_is_refused(tmp_path_factory, monkeypatch, name, write):
    monkeypatch.chdir(tmp_path_factory.mktemp('empty'))
    mean = HistoryBuffer.mean
    write('bad.pth', STREAMS[name])

    with pytest.raises(pickle.UnpicklingError, match=r'bad\.pth was not loaded: .*trust'):
        load('bad.pth', 'cpu')

    assert os.listdir() == ['bad.pth']
    assert HistoryBuffer.mean is mean
    assert set(HistoryBuffer._statistics_methods) >= {'min', 'max', 'mean', 'current'}
    assert HistoryBuffer._statistics_methods['mean'] is mean


# object and the name of its function
OBJECTS = {
    'os.system': (_Call(os.system, 'touch it'), 'system'),
    'os.system within': (OrderedDict(a=[_Call(os.system, 'touch it')]), 'system'),
    'exec': (_Call(exec, 'open("it", "w")'), 'exec'),
    'bytes of a storage': (
        _Call(torch.storage._load_from_bytes, b''),
        'torch.storage._load_from_bytes',
    ),
    'torch.load': (_Call(torch.load, 'bad.pth'), 'torch.serialization.load'),
}


@pytest.mark.parametrize('zipped', [True, False])
@every('name', OBJECTS)
def test_a_hostile_object_is_refused_and_named(tmp_path_factory, monkeypatch, name, zipped):
    monkeypatch.chdir(tmp_path_factory.mktemp('empty'))
    payload, named = OBJECTS[name]
    torch.save(dict(x=payload), 'bad.pth', _use_new_zipfile_serialization=zipped)
    with pytest.raises(pickle.UnpicklingError, match=named):
        load('bad.pth', 'cpu')
    assert os.listdir() == ['bad.pth']


# --- files that are no checkpoints ---


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match='no/such.pth'):
        load('no/such.pth')


def test_a_web_page_is_told_from_code(tmp_path):
    """What a download leaves where a login is asked for."""
    path = tmp_path / 'teacher.pth'
    path.write_bytes(b'\n<!DOCTYPE html><html><body>Sign in</body></html>')
    with pytest.raises(pickle.UnpicklingError, match='teacher.pth is a web page') as error:
        load(str(path), 'cpu')
    assert 'weights_only' not in str(error.value)


@pytest.mark.parametrize('cut', [0, 100, -100])
def test_an_incomplete_file_is_named(tmp_path, cut):
    path = tmp_path / 'epoch_1.pth'
    torch.save(_checkpoint(), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises((RuntimeError, pickle.UnpicklingError), match=r'epoch_1\.pth'):
        load(str(path), 'cpu')


# --- is the repair needed? ---


def test_the_fault_is_seen_with_the_loader_of_mmengine(monkeypatch):
    from mmengine.runner.checkpoint import load_from_local as of_mmengine

    monkeypatch.setitem(CheckpointLoader._schemes, '', of_mmengine)
    assert checkpoint.runner_checkpoints_are_refused()
    checkpoint.register_loader()
    assert CheckpointLoader._schemes[''] is load
    assert not checkpoint.runner_checkpoints_are_refused()


def test_without_the_repair_mmengine_cannot_read_it(tmp_path):
    from mmengine.runner.checkpoint import load_from_local as of_mmengine

    torch.save(_checkpoint(), tmp_path / 'a.pth')
    with pytest.raises(pickle.UnpicklingError):
        of_mmengine(str(tmp_path / 'a.pth'), 'cpu')


def test_a_loader_of_somebody_else_is_left_alone(monkeypatch):
    monkeypatch.setitem(CheckpointLoader._schemes, '', lambda filename, map_location: {})
    assert not checkpoint.runner_checkpoints_are_refused()


@pytest.mark.filterwarnings('ignore:Environment variable TORCH_FORCE')
def test_an_old_torch_is_left_alone(monkeypatch):
    from mmengine.runner.checkpoint import load_from_local as of_mmengine

    monkeypatch.setitem(CheckpointLoader._schemes, '', of_mmengine)
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')  # the default of torch < 2.6
    assert not checkpoint.runner_checkpoints_are_refused()
