"""tools/convert_checkpoint.py: a report, one clear error, nothing half-written."""

import json
import os
import pickle
import shutil
import sys
from hashlib import sha256

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.every import every
from tests.tools.names import ODD_NAMES, prepare_streams
from tools import convert_checkpoint
from tools.convert_checkpoint import main

SMALL = dict(
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=48,
    num_frames=4,
    image_size=32,
    num_labels=3,
)


@pytest.fixture(scope='module')
def hf_folder(tmp_path_factory, randomize):
    """A classifier as transformers saves it."""
    import transformers

    folder = tmp_path_factory.mktemp('hf') / 'model'
    model = transformers.VideoMAEForVideoClassification(transformers.VideoMAEConfig(**SMALL))
    randomize(model).save_pretrained(folder)
    return folder


@pytest.fixture
def recognizer(hf_folder, tmp_path):
    """The same classifier as a recognizer of MMAction2."""
    file = tmp_path / 'recognizer.pth'
    assert main([str(hf_folder), str(file), '--from', 'huggingface', '--to', 'recognizer']) == 0
    return file


def run(src, dst, source, target, *options):
    return main([str(src), str(dst), '--from', source, '--to', target, *options])


FRAME = ('--source-frames', '1', '--source-size', '32')
HEADS = ('--num-heads', '2', '--source-frames', '4', '--source-size', '32')

# ---------------------------------------------------------------------- what it writes


def test_result_report_and_provenance(hf_folder, tmp_path, capsys):
    dst = tmp_path / 'new' / 'b.pth'
    assert run(hf_folder, dst, 'huggingface', 'mmaction', '--frames', '8') == 0
    content = torch.load(dst, weights_only=True)
    assert content['state_dict']['backbone.pos_embed'].shape == (1, 16, 24)
    meta, source = content['meta'], hf_folder / 'model.safetensors'
    assert meta['source'] == 'model.safetensors'
    assert meta['source_sha256'] == sha256(source.read_bytes()).hexdigest()
    assert meta['converted_from'] == 'huggingface' and meta['pmd_mmaction_version']
    keys = load_file(source).keys()
    printed = capsys.readouterr().out
    assert f'{len(keys) - 2} keys converted, 2 dropped -> {dst}' in printed
    assert 'sinusoid_1d of 4 frames of 32 px added' in printed
    assert 'interpolated from 4 frames of 32 px to 8 frames of 32 px' in printed
    assert 'dropped 2 (classification head; --to recognizer keeps it): classifier' in printed


def test_a_folder_for_transformers(recognizer, tmp_path, capsys):
    labels = tmp_path / 'labels.txt'
    labels.write_text('run\njump\nsit\n')
    dst = tmp_path / 'folder'
    options = (*HEADS, '--labels', str(labels), '--verify')
    assert run(recognizer, dst, 'mmaction', 'huggingface', *options) == 0
    names = {'model.safetensors', 'config.json', 'preprocessor_config.json', 'conversion.json'}
    assert {path.name for path in dst.iterdir()} == names
    assert json.loads((dst / 'config.json').read_text())['id2label']['1'] == 'jump'
    assert json.loads((dst / 'conversion.json').read_text())['source'] == 'recognizer.pth'
    assert 'largest difference of logits' in capsys.readouterr().out


def test_a_folder_is_not_overwritten(recognizer, tmp_path, capsys):
    (tmp_path / 'folder').mkdir()
    assert run(recognizer, tmp_path / 'folder', 'mmaction', 'huggingface', *HEADS) == 1
    assert 'remove it or choose another folder' in capsys.readouterr().err
    assert not list((tmp_path / 'folder').iterdir())


def test_a_file_is_not_overwritten(recognizer, tmp_path, capsys):
    dst = tmp_path / 'teacher.pth'
    dst.write_text('precious')
    assert run(recognizer, dst, 'mmaction', 'mmaction', *HEADS) == 1
    assert 'teacher.pth exists: remove it or choose another name' in capsys.readouterr().err
    assert dst.read_text() == 'precious'


def test_both_kinds_of_weight_file(hf_folder, tmp_path):
    folder = tmp_path / 'old'
    folder.mkdir()
    (folder / 'config.json').write_text((hf_folder / 'config.json').read_text())
    torch.save(load_file(hf_folder / 'model.safetensors'), folder / 'pytorch_model.bin')
    for src, dst in ((hf_folder, 'a.pth'), (folder, 'b.pth')):
        assert run(src, tmp_path / dst, 'huggingface', 'mmaction') == 0
    a, b = (torch.load(tmp_path / name)['state_dict'] for name in ('a.pth', 'b.pth'))
    assert all(torch.equal(a[key], b[key]) for key in a | b)


# ---------------------------------------------------------------------- --verify


@pytest.mark.parametrize('target', ['mmaction', 'recognizer', 'huggingface'])
def test_verified_from_transformers(hf_folder, tmp_path, capsys, target):
    assert run(hf_folder, tmp_path / 'out', 'huggingface', target, '--verify') == 0
    lines = [x for x in capsys.readouterr().out.splitlines() if 'largest difference' in x]
    assert [float(line.split(': ')[1]) < 1e-4 for line in lines] == [True] * (
        1 if target == 'mmaction' else 2
    )


@pytest.mark.parametrize('source', ['timm', 'mae'])
def test_an_image_teacher_is_verified(tmp_path, capsys, randomize, source):
    import timm

    size = dict(img_size=16, patch_size=8, embed_dim=24, depth=2, num_heads=2)
    network = randomize(timm.create_model('vit_tiny_patch16_224', **size))
    save_file(network.state_dict(), tmp_path / 'a.safetensors')
    paths = tmp_path / 'a.safetensors', tmp_path / 'new' / 'b.pth'
    assert run(*paths, source, 'timm', '--verify') == 1, 'a width of 24 does not tell the heads'
    assert '--num-heads' in capsys.readouterr().err
    assert not (tmp_path / 'new').exists()
    assert run(*paths, source, 'timm', '--verify', '--num-heads', '2') == 0
    assert float(capsys.readouterr().out.strip().rpartition(': ')[2]) == 0


def test_what_cannot_run_here_says_what_is_missing(hf_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'transformers', None)
    dst = tmp_path / 'b.pth'
    assert run(hf_folder, dst, 'huggingface', 'mmaction', '--verify') == 1
    assert '--verify needs transformers, which is not installed' in capsys.readouterr().err
    assert not dst.exists()


def test_a_frame_encoder_is_verified(tmp_path, capsys, randomize, mmaction_scope):
    from mmaction.registry import MODELS

    network = MODELS.build(
        dict(
            type='MaskedVisionTransformer',
            img_size=32,
            embed_dims=192,
            depth=2,
            num_heads=3,
            num_frames=1,
            tubelet_size=1,
            use_mean_pooling=False,
        )
    )
    torch.save(randomize(network, std=0.1).state_dict(), tmp_path / 'a.pth')
    assert run(tmp_path / 'a.pth', tmp_path / 'b.pth', 'mmaction', 'timm', '--verify') == 0
    found = float(capsys.readouterr().out.strip().rpartition(': ')[2])
    assert found < 1e-4
    assert run(tmp_path / 'b.pth', tmp_path / 'c.pth', 'timm', 'timm', '--verify') == 0
    # and back from a folder for the Hub, whose config.json tells of clips
    assert run(tmp_path / 'a.pth', tmp_path / 'hub', 'mmaction', 'huggingface', *FRAME) == 0
    assert run(tmp_path / 'hub', tmp_path / 'd.pth', 'huggingface', 'timm') == 0
    capsys.readouterr()


def test_a_difference_stops_everything(recognizer, tmp_path, capsys, monkeypatch):
    wrong = dict(logits=torch.zeros(1, 3), tokens=torch.zeros(1, 8, 24))
    monkeypatch.setattr(
        'pmd_mmaction.convert.verify.huggingface_outputs', lambda *args, **options: wrong
    )
    assert (
        run(recognizer, tmp_path / 'new' / 'out', 'mmaction', 'huggingface', *HEADS, '--verify')
        == 1
    )
    assert 'nothing was written' in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {'recognizer.pth'}


@pytest.mark.parametrize(
    'source, options, message',
    [
        ('videomae', (), "videomae's own code is not a package"),
        ('mmaction', ('--size', '64'), 'source and result are for clips of different size'),
    ],
)
def test_what_cannot_be_verified_says_so(recognizer, tmp_path, capsys, source, options, message):
    dst = tmp_path / 'b.pth'
    assert run(recognizer, dst, source, 'mmaction', *HEADS, '--verify', *options) == 1
    assert message in capsys.readouterr().err
    assert not dst.exists()


# ---------------------------------------------------------------------- refusals


class Code:
    def __reduce__(self):
        return exec, ('raise SystemExit("the file ran code")',)


@pytest.mark.parametrize(
    'content, options, message',
    [
        (dict(model={'conv1.weight': torch.ones(1)}), ('videomae', 'mmaction'), 'conv1.weight'),
        (dict(epoch=3), ('videomae', 'mmaction'), 'holds no weights'),
        ([torch.ones(1)], ('videomae', 'mmaction'), 'holds no weights'),
        (dict(model={'a': torch.ones(1), 'b': 3}), ('mae', 'timm'), "that are none: ['b']"),
        (None, ('videomae', 'mmaction'), 'does not exist'),
        (dict(model={'norm.weight': torch.ones(1)}), ('videomae', 'timm'), 'no patch embedding'),
        (dict(model={'norm.weight': torch.ones(1)}), ('mae', 'recognizer'), 'no conversion'),
        (dict(model=Code()), ('mae', 'timm'), "'exec', which may run code"),
        (dict(model={3: torch.ones(1), 'b': torch.ones(1)}), ('mae', 'timm'), 'that are none: [3]'),
        (
            dict(model={'encoder.patch_embed.proj.weight': torch.ones(4, 3, 2, 2)}),
            ('videomae', 'mmaction'),
            'a kernel of 4 dimensions instead of the 5 of a video encoder',
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, capsys, content, options, message):
    if content is not None:
        torch.save(content, tmp_path / 'a.pth')
    assert run(tmp_path / 'a.pth', tmp_path / 'b.pth', *options) == 1
    printed = capsys.readouterr().err
    assert message in printed and printed.startswith('convert_checkpoint: ')
    assert not (tmp_path / 'b.pth').exists()


@pytest.mark.parametrize(
    'options, message',
    [
        (('--frames', '0'), 'there are no clips of 0 frames'),
        (('--size', '-32'), 'there are no clips of 4 frames of -32 px'),
        (('--num-heads', '0'), 'num_heads is 0'),
    ],
)
def test_impossible_numbers(recognizer, tmp_path, capsys, options, message):
    dst = tmp_path / 'out'
    assert run(recognizer, dst, 'mmaction', 'huggingface', *HEADS, *options) == 1
    assert message in capsys.readouterr().err
    assert not dst.exists()


@pytest.mark.parametrize(
    'text, message',
    [('', '0 labels for a head of 3 classes'), ('a\nb\na\n', "have the label(s) ['a']")],
)
def test_labels_that_do_not_fit(recognizer, tmp_path, capsys, text, message):
    (tmp_path / 'labels.txt').write_text(text)
    options = (*HEADS, '--labels', str(tmp_path / 'labels.txt'))
    assert run(recognizer, tmp_path / 'out', 'mmaction', 'huggingface', *options) == 1
    assert message in capsys.readouterr().err


def test_a_folder_is_no_file_to_write(recognizer, tmp_path, capsys):
    (tmp_path / 'out').mkdir()
    assert run(recognizer, tmp_path / 'out', 'mmaction', 'mmaction', *HEADS) == 1
    assert 'name the file to write' in capsys.readouterr().err


def test_a_folder_without_weights(tmp_path, capsys):
    assert run(tmp_path, tmp_path / 'b.pth', 'huggingface', 'mmaction') == 1
    assert 'model.safetensors' in capsys.readouterr().err


def test_another_model_of_transformers(hf_folder, tmp_path, capsys):
    (tmp_path / 'config.json').write_text('{"model_type": "vit"}')
    (tmp_path / 'model.safetensors').write_bytes((hf_folder / 'model.safetensors').read_bytes())
    assert run(tmp_path, tmp_path / 'b.pth', 'huggingface', 'mmaction') == 1
    assert "its config.json is of a 'vit'" in capsys.readouterr().err


@pytest.mark.parametrize('name', ['a.safetensors', 'a.pth'])
def test_a_broken_file(tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b'\x00\x01 broken')
    assert run(tmp_path / name, tmp_path / 'b.pth', 'videomae', 'mmaction') == 1
    assert capsys.readouterr().err.startswith('convert_checkpoint: ')


def test_a_crash_while_writing_leaves_nothing(recognizer, tmp_path, monkeypatch):
    def broken(state, file):
        file.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(convert_checkpoint.torch, 'save', broken)
    assert run(recognizer, tmp_path / 'b.pth', 'mmaction', 'mmaction', *HEADS) == 1
    assert {path.name for path in tmp_path.iterdir()} == {'recognizer.pth'}


def test_unpickling_errors_are_caught():
    assert issubclass(pickle.UnpicklingError, convert_checkpoint.ERRORS)


@every('name', ODD_NAMES, name=repr)
def test_any_file_name(hf_folder, tmp_path_factory, capsys, monkeypatch, name):
    prepare_streams()
    monkeypatch.chdir(tmp_path_factory.mktemp('empty'))
    shutil.copytree(hf_folder, f'./{name}')
    assert run(f'./{name}', f'./{name}.pth', 'huggingface', 'recognizer') == 0
    assert run(f'./{name}.pth', f'./{name}.new', 'mmaction', 'huggingface', *HEADS) == 0
    assert sorted(os.listdir()) == sorted([name, f'{name}.pth', f'{name}.new'])
    assert capsys.readouterr().out.encode()  # printable
