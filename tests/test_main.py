"""`python -m pmd_mmaction` and wrong inputs of the tools end in one line."""

import runpy
import sys

import pytest

from pmd_mmaction.__main__ import main
from pmd_mmaction.shipped import TOOLS, read_config


def test_without_a_command_it_helps(capsys):
    main([])
    assert 'pretrain_folder' in capsys.readouterr().out


def test_an_unknown_command_is_named(capsys):
    with pytest.raises(SystemExit):
        main(['nonsense'])
    assert "no command 'nonsense': configs, copy, or a tool: " in capsys.readouterr().err


def test_a_tool_may_be_written_with_a_hyphen(capsys):
    with pytest.raises(SystemExit) as end:
        main(['pretrain-folder', '--help'])
    assert end.value.code == 0 and '--teachers' in capsys.readouterr().out


def test_a_config_that_cannot_be_read(tmp_path):
    with pytest.raises(SystemExit, match='there is no file .*nowhere.py.*lists the configs'):
        read_config(tmp_path / 'nowhere.py')
    (tmp_path / 'a.py').write_text('model = dict(')
    with pytest.raises(SystemExit, match='a.py'):
        read_config(tmp_path / 'a.py')


def test_a_training_without_its_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = TOOLS.parent / 'configs/pmd/vit-tiny_demo_pretrain.py'
    monkeypatch.setattr(sys, 'argv', ['train.py', str(config)])
    with pytest.raises(
        SystemExit, match='image_teacher.pth(.|\n)*python -m pmd_mmaction doctor .* lists all'
    ):
        runpy.run_path(str(TOOLS / 'train.py'), run_name='__main__')
