"""Hugging Face folders and records of steps from elsewhere: nothing in hostile ones runs."""

import json
import os
import pickle
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pmd_mmaction.hooks.nonfinite.step_record import read_tensors
from tests.test_foreign_files import _hostile_pickle, _Touch, _zip_slip
from tools import convert_checkpoint, replay_batch

MODULE = 'foreign_module'  # lies in the working directory, from where it could be imported


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory whose only module leaves a mark when it is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f'{MODULE}.py').write_text("open('ran', 'w').close()\n")
    return tmp_path


def _nothing_ran(place: Path, *others: str) -> bool:
    return sorted(os.listdir(place)) == sorted([f'{MODULE}.py', *others])


def _huge_header(path: Path) -> None:
    path.write_bytes(struct.pack('<Q', 2**60) + b'{}' * 100)


# --- folders of Hugging Face ---

GOOD = dict(model_type='videomae', num_frames=16, image_size=224)


@pytest.mark.parametrize(
    'name, write',
    [
        ('pytorch_model.bin', _hostile_pickle),
        ('pytorch_model.bin', _zip_slip),
        ('model.safetensors', _huge_header),
        ('model.safetensors', _hostile_pickle),
    ],
)
def test_hostile_weights_in_a_folder_are_refused(place, capsys, name, write):
    (place / 'folder').mkdir()
    config = GOOD | dict(auto_map=dict(AutoModel=f'{MODULE}.Model'))
    (place / 'folder' / 'config.json').write_text(json.dumps(config))
    write(place / 'folder' / name)
    arguments = ['folder', 'out.pth', '--from', 'huggingface', '--to', 'mmaction']
    assert convert_checkpoint.main(arguments) == 1
    assert 'folder' in capsys.readouterr().err
    assert _nothing_ran(place, 'folder')


@pytest.mark.parametrize(
    'text, message',
    [
        ('[1]', 'holds no config'),
        ('null', 'holds no config'),
        ('{"model_type": ', 'is no JSON'),
        (b'\xff\xfe', 'is no JSON'),
        ('[' * 10**5, 'is no JSON'),
        ('{}' + ' ' * 2**21, 'too many for a config.json'),
        (json.dumps(GOOD | dict(model_type='bert')), "of a 'bert', not a videomae"),
        (json.dumps(GOOD | dict(num_frames='16')), "num_frames is '16'; it must be a whole"),
        (json.dumps(GOOD | dict(image_size=-1)), 'image_size is -1; it must be a whole'),
        (json.dumps(GOOD | dict(num_attention_heads=0)), 'num_heads is 0; it must be a whole'),
    ],
)
def test_a_silly_config_is_refused(place, capsys, text, message):
    folder = place / 'folder'
    folder.mkdir()
    (folder / 'config.json').write_bytes(text if isinstance(text, bytes) else text.encode())
    save_file(dict(w=torch.ones(1)), folder / 'model.safetensors')
    arguments = ['folder', 'out.pth', '--from', 'huggingface', '--to', 'mmaction']
    assert convert_checkpoint.main(arguments) == 1
    assert message in capsys.readouterr().err
    assert _nothing_ran(place, 'folder')


# --- records of NonFiniteHook ---


@pytest.mark.parametrize('content', [pickle.dumps(_Touch()), b'[' * 10**5, b'\xff', b'[]'])
def test_a_pickle_is_no_record(place, content):
    (place / 'record.json').write_bytes(content)
    with pytest.raises(SystemExit, match='record.json is not a step record'):
        replay_batch.main(['record.json', '--config', 'config.py'])
    assert _nothing_ran(place, 'record.json')


@pytest.mark.parametrize('write', [_hostile_pickle, _zip_slip, _huge_header])
def test_hostile_tensors_beside_a_record_are_refused(place, write):
    write(place / 'bad.safetensors')
    with pytest.raises(ValueError, match='bad.safetensors'):
        read_tensors(place / 'bad.safetensors')
    assert _nothing_ran(place, 'bad.safetensors')
