"""Files that a tool does not find, or that are not those it needs."""

import importlib
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
DEMO = ROOT / 'configs' / 'pmd' / 'vit-tiny_demo'


@pytest.mark.parametrize(
    ('tool', 'config', 'rest', 'missing'),
    [
        ('test', 'finetune', ['x.pth'], 'val.txt'),
        ('linear_probe', 'probe', ['x.pth'], 'x.pth'),
        ('linear_probe', 'probe', ['--random'], 'train.txt'),
        ('visualize_pretraining', 'pretrain', ['.'], 'train.txt'),
        ('visualize_pretraining', 'pretrain', ['run'], 'run'),
    ],
)
def test_it_is_named(monkeypatch, tmp_path, mmaction_scope, tool, config, rest, missing):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', [tool, f'{DEMO}_{config}.py', *rest])
    with pytest.raises(SystemExit, match=f'there is no .*{missing}|There is no .*{missing}'):
        runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'), run_name='__main__')


@pytest.mark.usefixtures('mmaction_scope')
def test_a_probe_of_other_weights_is_refused(monkeypatch, tmp_path):
    """MMEngine would only log it, and the probe would score an untrained encoder."""
    torch.save(dict(state_dict={'blocks.0.norm1.weight': torch.ones(96)}), tmp_path / 'timm.pth')
    main = runpy.run_path(str(ROOT / 'tools' / 'linear_probe.py'))['main']
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match='timm.pth does not fill the backbone'):
        main([f'{DEMO}_probe.py', 'timm.pth'])
    with pytest.raises(SystemExit, match='it needs a model and a probe_dataloader'):
        main([f'{DEMO}_finetune.py', 'timm.pth'])


def test_an_installed_demo_writes_into_the_current_folder(monkeypatch, tmp_path):
    site = tmp_path / 'site-packages' / 'pmd_mmaction' / '.mim'
    (site / 'tools').mkdir(parents=True)
    for name in ('demo.py', 'environment.py'):
        shutil.copy(ROOT / 'tools' / name, site / 'tools')
    monkeypatch.chdir(tmp_path)
    demo = runpy.run_path(str(site / 'tools' / 'demo.py'))
    assert demo['ROOT'] == tmp_path
    command = demo['Demo']('work', 0)._program(('tools/train.py', 'configs/a.py', '--resume'))
    expected = [str(site / 'tools/train.py'), str(site / 'configs/a.py'), '--resume']
    assert command == [sys.executable, *expected]


def test_a_demo_of_another_seed_is_refused(monkeypatch, tmp_path):
    demo = importlib.import_module('tools.demo')
    monkeypatch.setattr(demo, 'ROOT', tmp_path)
    demo.Demo('work', 0).require_seed()
    demo.Demo('work', 0).require_seed()
    with pytest.raises(SystemExit, match='work has results of seed 0: choose another --work-dir'):
        demo.Demo('work', 7).require_seed()
