"""tools/publish_model.py: only what is needed, named by its digest, the same bytes each time."""

import shutil
from hashlib import sha256
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.runner import load_checkpoint
from torch import nn

from tests.every import every
from tests.tools.names import ODD_NAMES, prepare_streams
from tools import publish_model
from tools.publish_model import main

STATE = {
    'backbone.a.weight': torch.arange(6.0).view(2, 3),
    'backbone.a.bias': torch.ones(2),
    'cls_head.fc_cls.weight': torch.ones(4, 2),
    'decoders.img.head.bias': torch.zeros(3),
    'neck.layers.0.bias': torch.zeros(5),
}


@pytest.fixture
def checkpoint(tmp_path):
    """What the Runner saves."""
    path = tmp_path / 'epoch_3.pth'
    torch.save(
        dict(
            meta=dict(epoch=3, iter=9, cfg='work_dir = "/home/somebody"', hostname='node7'),
            state_dict=STATE,
            optimizer=dict(state={0: torch.zeros(1000)}),
            dare=dict(file='difficulty.table', digest='0'),
        ),
        path,
    )
    return path


def publish(src, tmp_path, *options, keep='backbone'):
    code = main([str(src), str(tmp_path / 'zoo' / 'vit'), '--keep', keep, *options])
    return code, sorted((tmp_path / 'zoo').glob('*')) if (tmp_path / 'zoo').exists() else []


@pytest.mark.parametrize(
    'keep, prefixes',
    [
        ('backbone', ('backbone',)),
        ('recognizer', ('backbone', 'cls_head')),
        ('student', ('backbone', 'decoders')),
    ],
)
def test_what_is_kept(checkpoint, tmp_path, capsys, keep, prefixes):
    code, (path,) = publish(checkpoint, tmp_path, '--date', '20260102', keep=keep)
    assert code == 0
    content = torch.load(path, weights_only=True)
    assert set(content) == {'meta', 'state_dict'}
    wanted = {key: value for key, value in STATE.items() if key.startswith(prefixes)}
    assert content['state_dict'].keys() == wanted.keys()
    assert all(torch.equal(content['state_dict'][key], wanted[key]) for key in wanted)
    assert path.name == f'vit_20260102-{sha256(path.read_bytes()).hexdigest()[:8]}.pth'
    printed = capsys.readouterr().out
    assert 'neck' in printed and 'optimizer' in printed and 'dare' in printed


def test_nothing_private_is_published(checkpoint, tmp_path):
    _, (path,) = publish(checkpoint, tmp_path)
    assert b'somebody' not in path.read_bytes() and b'node7' not in path.read_bytes()
    assert torch.load(path)['meta']['epoch'] == 3


def test_the_same_input_gives_the_same_file(checkpoint, tmp_path):
    _, first = publish(checkpoint, tmp_path, '--date', '20260102')
    before = first[0].read_bytes()
    _, second = publish(checkpoint, tmp_path, '--date', '20260102')
    assert first == second and second[0].read_bytes() == before


def test_a_view_does_not_drag_its_storage_along(tmp_path):
    big = torch.zeros(1_000_000)
    torch.save(dict(state_dict={'backbone.a': big[:2]}), tmp_path / 'a.pth')
    _, (path,) = publish(tmp_path / 'a.pth', tmp_path)
    assert path.stat().st_size < 10_000


@pytest.fixture
def averaged(tmp_path):
    """What EMAHook saves: average 1, last step 3."""
    model = nn.ModuleDict(dict(backbone=nn.Linear(1, 1)))
    hook, runner = EMAHook(momentum=0.5), SimpleNamespace(model=model)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 1.0)
    hook.before_run(runner)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 3.0)
    content = dict(meta={}, state_dict=model.state_dict())
    hook.before_save_checkpoint(runner, content)
    torch.save(content, tmp_path / 'averaged.pth')
    return tmp_path / 'averaged.pth'


@pytest.mark.parametrize('options, value, name', [((), 1.0, 'averaged'), (('--raw',), 3.0, 'raw')])
def test_averaged_weights(averaged, tmp_path, capsys, options, value, name):
    _, (path,) = publish(averaged, tmp_path, *options)
    content = torch.load(path)
    assert content['state_dict'].keys() == {'backbone.weight', 'backbone.bias'}
    assert all(tensor.item() == value for tensor in content['state_dict'].values())
    assert content['meta']['weights'] == name
    assert f'2 {name} weights' in capsys.readouterr().out


def test_mmengine_loads_it(checkpoint, tmp_path):
    _, (path,) = publish(checkpoint, tmp_path)
    model = nn.ModuleDict(dict(backbone=nn.ModuleDict(dict(a=nn.Linear(3, 2)))))
    load_checkpoint(model, str(path), strict=True)
    assert torch.equal(model.backbone.a.weight, STATE['backbone.a.weight'])


class Code:
    def __reduce__(self):
        return exec, ('raise SystemExit("the file ran code")',)


@pytest.mark.parametrize(
    'content, options, message',
    [
        (dict(model=STATE), (), 'it has no state_dict'),
        (dict(state_dict=STATE), ('--raw',), 'leave --raw out'),
        ([1, 2], (), 'it has no state_dict'),
        (dict(state_dict={'neck.a': torch.ones(1)}), (), 'it has no weights backbone.*'),
        (dict(state_dict=STATE, bad=Code()), (), 'may run code'),
        (None, (), 'There is no checkpoint'),
    ],
)
def test_refusals(tmp_path, capsys, content, options, message):
    if content is not None:
        torch.save(content, tmp_path / 'a.pth')
    code, files = publish(tmp_path / 'a.pth', tmp_path, *options)
    assert code == 1 and files == []
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('option', ['--license=mit', '--custom-code', '--labels=a.txt'])
def test_what_only_a_folder_for_the_hub_can_hold_is_refused(checkpoint, tmp_path, capsys, option):
    with pytest.raises(SystemExit):
        publish(checkpoint, tmp_path, option)
    assert 'belong to --to huggingface' in capsys.readouterr().err


def test_a_file_that_reads_back_wrong_is_removed(checkpoint, tmp_path, capsys, monkeypatch):
    load = torch.load
    monkeypatch.setattr(
        publish_model.torch,
        'load',
        lambda *args, **kwargs: (
            dict(state_dict={}) if 'zoo' in str(args[0]) else load(*args, **kwargs)
        ),
    )
    code, files = publish(checkpoint, tmp_path)
    assert code == 1 and files == []
    assert 'it was removed' in capsys.readouterr().err


@every('name', ODD_NAMES, name=repr)
def test_any_file_name(checkpoint, tmp_path_factory, capsys, monkeypatch, name):
    prepare_streams()
    folder = tmp_path_factory.mktemp('place')
    monkeypatch.chdir(folder)
    shutil.copy(checkpoint, f'./{name}.pth')
    assert main([f'./{name}.pth', f'./new{name}', '--keep', 'backbone']) == 0
    (made,) = set(folder.iterdir()) - {folder / f'{name}.pth'}
    assert made.name.startswith(f'new{name}')
    assert capsys.readouterr().out.encode()  # printable
    assert main([f'./{name}', './new', '--keep', 'backbone']) == 1
    assert 'publish_model: ' in capsys.readouterr().err


def test_the_prefix_of_a_wrapper_is_left_out(checkpoint, tmp_path, capsys):
    """FlexibleRunner saves the names of DistributedDataParallel."""
    content = torch.load(checkpoint, weights_only=True)
    content['state_dict'] = {f'module.{name}': value for name, value in STATE.items()}
    torch.save(content, checkpoint)
    code, (path,) = publish(checkpoint, tmp_path)
    assert code == 0
    assert set(torch.load(path)['state_dict']) == {'backbone.a.weight', 'backbone.a.bias'}
    assert 'neck' in capsys.readouterr().out


def test_weights_with_and_without_the_prefix_are_refused(checkpoint, tmp_path, capsys):
    content = torch.load(checkpoint, weights_only=True)
    content['state_dict'] |= {'module.backbone.a.weight': torch.zeros(2, 3)}
    torch.save(content, checkpoint)
    assert publish(checkpoint, tmp_path) == (1, [])
    assert "1 of 6 weights begin with 'module.'" in capsys.readouterr().err
