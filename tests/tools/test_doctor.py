"""tools/doctor.py: a table or JSON, and the exit status."""

import json
import os
import subprocess
import sys

import pytest

from tests.every import every
from tests.integration import tiny
from tests.tools.names import ODD_NAMES, prepare_streams
from tools.doctor import libraries_silenced, main, show


def test_here_all_is_well(capsys):
    assert main([]) == 0
    assert 'OK: 0 errors' in capsys.readouterr().out


@pytest.mark.parametrize('name', ['pmd/vit-tiny_demo_pretrain.py', 'pmd/vit-b_k400_finetune.py'])
def test_a_config_without_its_files(capsys, monkeypatch, tmp_path, name):
    path = tiny.CONFIGS / name
    monkeypatch.chdir(tmp_path)
    assert main([str(path), '--json']) == 1
    findings = {f['subject']: f for f in json.loads(capsys.readouterr().out)}
    assert findings['train_dataloader list']['level'] == 'error'
    assert findings['model']['level'] == 'ok'
    assert main([str(path)]) == 1
    assert 'not ready' in capsys.readouterr().out


def test_libraries_print_nothing_into_the_report(tmp_path):
    config = str(tiny.CONFIGS / 'pmd' / 'vit-tiny_demo_pretrain.py')
    command = [sys.executable, str(tiny.ROOT / 'tools' / 'doctor.py'), config, '--json']
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert len(json.loads(done.stdout)) > 20


def test_what_a_library_prints_in_c_goes_to_standard_error(capfd):
    with libraries_silenced():
        os.write(1, b'[Gloo] Rank 0')
    print('report')
    assert capfd.readouterr() == ('report\n', '[Gloo] Rank 0')


def test_options_change_the_config(capsys, tmp_path):
    path = str(tiny.CONFIGS / 'pmd' / 'vit-tiny_demo_pretrain.py')
    options = ['--work-dir', str(tmp_path), '--cfg-options', 'model.dare.tau=0', '--json']
    assert main([path, *options]) == 1
    findings = {f['subject']: f for f in json.loads(capsys.readouterr().out)}
    assert 'tau is 0' in findings['model']['found']


@pytest.mark.parametrize('text', ['x = ', 'model = dict(type="A"', '_base_ = "nowhere.py"'])
def test_a_config_that_is_none(capsys, tmp_path, text):
    (tmp_path / 'bad.py').write_text(text)
    assert main([str(tmp_path / 'bad.py'), '--json']) == 1
    (finding,) = [f for f in json.loads(capsys.readouterr().out) if f['level'] == 'error']
    assert finding['subject'] == 'config'


def test_a_config_that_is_not_there(capsys):
    assert main(['nowhere.py']) == 1
    out = ' '.join(capsys.readouterr().out.split())
    assert 'nowhere.py' in out and 'python -m pmd_mmaction configs` lists the configs' in out


def test_a_library_that_is_too_old(tmp_path):
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv' / '__init__.py').write_text("__version__ = '1.7.0'")
    path = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    done = subprocess.run(
        [sys.executable, str(tiny.ROOT / 'tools' / 'doctor.py'), '--json'],
        capture_output=True,
        text=True,
        env=os.environ | dict(PYTHONPATH=path),
    )
    assert done.returncode == 1
    (finding,) = json.loads(done.stdout)
    assert 'mmcv >=2.0.0,<2.2.0, but version 1.7.0' in finding['found']


@every('name', ODD_NAMES, name=repr)
def test_lists_and_videos_of_any_name(capsys, tmp_path_factory, name):
    prepare_streams()
    folder = tmp_path_factory.mktemp('place')
    cfg = tiny.tiny_config(folder, folder)
    listed = name if '\n' not in name else 'a b'  # a list has a line for each video
    (folder / f'{name}.txt').write_text(f'{listed}.mp4\n', errors='surrogateescape')
    cfg.train_dataloader.dataset.ann_file = str(folder / f'{name}.txt')
    text = ''.join(f'{key} = {value!r}\n' for key, value in cfg.to_dict().items())
    (folder / 'config.py').write_text(text)
    assert main([str(folder / 'config.py')]) == 1
    assert capsys.readouterr().out.encode()  # printable
    assert main([str(folder / 'config.py'), '--json']) == 1
    findings = {f['subject']: f for f in json.loads(capsys.readouterr().out)}
    assert findings['train_dataloader list']['found'].endswith(f'{listed}.mp4')


# ---------------------------------------------------------------------- what is shown

FINDINGS = [
    ('torch', 'ok', '2.8.0, wanted >=2.8', ''),
    ('fault tf32', 'ok', 'repaired: x', ''),
    ('GPU', 'warning', 'none', 'training runs on the CPU'),
    ('fault drn-module', 'ok', 'absent: x', ''),
    (
        'image_teacher file',
        'error',
        f'{"long/" * 30}a[b].pth does not exist',
        'curl -Lo ' + 'x' * 99,
    ),
]


def test_what_is_wrong_comes_first_and_the_rest_in_a_line_per_group(capsys):
    show(FINDINGS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'error    image_teacher file:'
    assert lines[1].strip() == FINDINGS[-1][2].split()[0]  # whole, with its brackets
    assert lines.index('warning  GPU: none') > 2
    assert lines[-3:] == [
        'ok       packages: 1 fine: torch',
        'ok       known faults of the stack: 2 fine: tf32, drn-module',
        'not ready: 1 errors, 1 warnings',
    ]


def test_lines_fit_eighty_columns(capsys):
    many = [(f'fault number {i}', 'ok', 'absent: x', '') for i in range(50)]
    show([*many, ('GPU', 'warning', 'word ' * 60, 'word ' * 60)])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_verbose_shows_all(capsys):
    show(FINDINGS, verbose=True)
    shown = capsys.readouterr().out
    assert all(finding[0].split()[0] in shown for finding in FINDINGS)
