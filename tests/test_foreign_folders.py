"""Hugging Face folders and records of steps from elsewhere: nothing in hostile ones runs."""

import json
import os
import pickle
import struct
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pmd_mmaction.hooks.nonfinite.step_record import BatchRecord, read_tensors
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

COMMAND = dict(type='os.system', command='touch ran')


def _record(config: str, **changes) -> dict:
    record = BatchRecord(
        epoch=0, iter=0, rank=0, world_size=1, seed=0, reason='loss', batches=[], config=config
    )
    return asdict(record) | changes


@pytest.mark.parametrize(
    'config',
    [
        "__import__('os').system('touch ran')",
        repr(dict(model=COMMAND)),
        repr(dict(model=dict(type='MaskedAutoencoder', backbone=COMMAND))),
        repr(dict(model=dict(type='TubeMasker', token_grid=[(COMMAND,)]))),
        repr(dict(model=dict(type='mmengine.os.system', command='touch ran'))),
        repr(dict(model=dict(type=MODULE))),
        repr(dict(model=dict(type=f'mmaction.{MODULE}'))),
        repr(dict(model=dict(type='TubeMasker'), custom_imports=dict(imports=[MODULE]))),
        repr(dict(model=dict(type='TubeMasker'), custom_imports=dict(imports=MODULE))),
        repr(dict(model=dict(type='TubeMasker'), custom_imports=[MODULE])),
        repr(dict(model=dict(type='TubeMasker'), train_dataloader=dict(dataset=COMMAND))),
        repr(dict(model=dict(type=['os.system']))),
        repr(dict(model=[COMMAND])),
        '[' * 10**5,
    ],
)
def test_a_hostile_record_is_refused(place, config):
    (place / 'record.json').write_text(json.dumps(_record(config)))
    with pytest.raises(SystemExit, match='(?s)record.json: the recorded config .*give --config'):
        replay_batch.main(['record.json', '--device', 'cpu'])
    assert _nothing_ran(place, 'record.json')


@pytest.mark.parametrize(
    'kind, file, content',
    [
        ('PoseDataset', 'list.pkl', pickle.dumps(_Touch())),
        ('ActivityNetDataset', 'list.yaml', b"!!python/object/apply:os.system ['touch ran']"),
    ],
)
def test_a_registered_data_set_reads_no_pickle_for_a_record(place, kind, file, content):
    """MMAction2 registers data sets whose lists MMEngine would run."""
    (place / file).write_bytes(content)
    weights = {'model.fc_cls.weight': torch.ones(1, 1), 'model.fc_cls.bias': torch.ones(1)}
    save_file(weights, place / 'weights.safetensors')
    config = dict(
        model=dict(type='I3DHead', num_classes=1, in_channels=1),
        train_dataloader=dict(
            batch_size=1,
            sampler=dict(type='DefaultSampler'),
            dataset=dict(type=kind, ann_file=file, pipeline=[]),
        ),
    )
    record = _record(repr(config), weights='weights.safetensors')
    (place / 'record.json').write_text(json.dumps(record))
    with pytest.raises(SystemExit, match=f'record.json: Unsupported format: {file[5:]}'):
        replay_batch.main(['record.json', '--device', 'cpu'])
    assert _nothing_ran(place, 'record.json', 'weights.safetensors', file)


@pytest.mark.parametrize('content', [pickle.dumps(_Touch()), b'[' * 10**5, b'\xff', b'[]'])
def test_a_pickle_is_no_record(place, content):
    (place / 'record.json').write_bytes(content)
    with pytest.raises(SystemExit, match='record.json is no record of a batch'):
        replay_batch.main(['record.json', '--device', 'cpu'])
    assert _nothing_ran(place, 'record.json')


@pytest.mark.parametrize('write', [_hostile_pickle, _zip_slip, _huge_header])
def test_hostile_tensors_beside_a_record_are_refused(place, write):
    write(place / 'bad.safetensors')
    with pytest.raises(ValueError, match='bad.safetensors'):
        read_tensors(place / 'bad.safetensors')
    assert _nothing_ran(place, 'bad.safetensors')
