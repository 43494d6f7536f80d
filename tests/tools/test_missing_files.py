"""A file that a tool needs and does not find ends it in one line, without a traceback."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / 'configs' / 'pmd' / 'vit-tiny_demo'


@pytest.mark.parametrize(
    ('tool', 'config', 'rest', 'missing'),
    [
        ('test', 'finetune', ['x.pth'], 'val.txt'),
        ('linear_probe', 'probe', ['x.pth'], 'x.pth'),
        ('linear_probe', 'probe', ['--random'], 'train.txt'),
        ('visualize_pretraining', 'pretrain', ['run'], 'train.txt'),
    ],
)
def test_it_is_named(monkeypatch, tmp_path, mmaction_scope, tool, config, rest, missing):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', [tool, f'{DEMO}_{config}.py', *rest])
    with pytest.raises(SystemExit, match=f'there is no .*{missing}|There is no .*{missing}'):
        runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'), run_name='__main__')
