"""What the wheel carries besides the package, and the commands that find it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pmd_mmaction
from pmd_mmaction.__main__ import config_names, copy, main, tool_paths
from tests.integration.tiny import ROOT

PACKAGE = Path(pmd_mmaction.__file__).parent
CONFIG = 'pmd/vit-tiny_demo_pretrain.py'
CHILD = f"""
_base_ = 'pmd_mmaction::{CONFIG}'
train_dataloader = dict(batch_size=3)
"""
BUILD = """
import pmd_mmaction
from mmengine.config import Config
from mmengine.registry import HOOKS, init_default_scope
cfg = Config.fromfile('child.py')
init_default_scope(cfg.default_scope)
from mmaction.registry import MODELS
for teacher in (cfg.model.image_teacher, cfg.model.video_teacher):
    teacher.checkpoint = None
model, hook = MODELS.build(cfg.model), HOOKS.build(cfg.default_hooks.curriculum)
assert cfg.train_dataloader.batch_size == 3
from mmengine.hub import get_config
print(type(model).__name__, type(hook).__name__, get_config('pmd_mmaction::%s').model.type)
"""


@pytest.fixture(scope='module')
def site(tmp_path_factory) -> Path:
    """A folder in which the wheel is installed."""
    if PACKAGE.joinpath('.mim').is_dir():
        return PACKAGE.parent
    source, target = (tmp_path_factory.mktemp(name) for name in ('source', 'site'))
    for name in ('pmd_mmaction', 'configs', 'tools', 'requirements'):
        ignore = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'model-index.yml', 'README.md'):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-build-isolation']
    subprocess.run([*pip, '--target', str(target), str(source)], check=True)
    return target


def run(site: Path, folder: Path, *command: str) -> subprocess.CompletedProcess:
    """Runs Python with the wheel in front of an editable installation."""
    environment = {**os.environ, 'PYTHONPATH': str(site)}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


def test_it_carries_configs_tools_and_index(site):
    mim = site / 'pmd_mmaction' / '.mim'
    for name in ('configs', 'tools'):
        assert files(mim / name) == files(ROOT / name)
    assert (mim / 'model-index.yml').read_text() == (ROOT / 'model-index.yml').read_text()
    assert (site / 'pmd_mmaction' / 'report' / 'page.html').is_file()
    assert os.access(mim / 'tools' / 'dist_train.sh', os.X_OK)


def test_a_base_by_the_name_of_the_package(site, tmp_path):
    (tmp_path / 'child.py').write_text(CHILD)
    done = run(site, tmp_path, '-c', BUILD % CONFIG)
    assert done.returncode == 0, done.stderr
    built = done.stdout.splitlines()[-1]
    assert built == 'PMDRecognizer ProgressivePhaseHook PMDRecognizer'
    assert 'Failed to' not in done.stdout + done.stderr


def test_doctor_out_of_the_wheel(site, tmp_path):
    assert run(site, tmp_path, '-m', 'pmd_mmaction', 'copy', CONFIG).returncode == 0
    done = run(site, tmp_path, '-m', 'pmd_mmaction', 'doctor', 'vit-tiny_demo_pretrain.py')
    assert done.returncode == 1 and 'not ready' in done.stdout, done.stderr


# ---------------------------------------------------------------------- the commands


def test_configs_are_listed(capsys):
    main(['configs'])
    shown = capsys.readouterr().out.split()
    assert shown == config_names() and CONFIG in shown
    assert not any(name.startswith('_base_') for name in shown)


def test_a_copy_is_the_config_without_bases(tmp_path):
    from mmengine.config import Config

    target = copy(CONFIG, str(tmp_path / 'mine.py'))
    text = target.read_text()
    assert text.startswith('# All of PMD on') and '_base_' not in text
    shipped = Config.fromfile(ROOT / 'configs' / CONFIG)
    assert Config.fromfile(target).to_dict() == shipped.to_dict()


@pytest.mark.parametrize('name, message', [('nothing.py', 'is not a config'), (CONFIG, 'exists')])
def test_a_copy_is_refused(tmp_path, name, message):
    (tmp_path / 'mine.py').touch()
    with pytest.raises(SystemExit, match=message):
        copy(name, str(tmp_path / 'mine.py'))


def test_a_name_without_its_folder_is_helped():
    with pytest.raises(SystemExit, match='did you mean pmd/vit-b_ssv2_finetune.py.$'):
        copy('vit-b_ssv2_finetune.py', None)


def test_every_tool_has_its_command():
    assert {'doctor', 'train', 'test', 'check_videos', 'demo'} <= tool_paths().keys()


# ---------------------------------------------------------------------- an empty environment


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_pip_install_with_the_extra(tmp_path):
    """Some three minutes and 7 GB; the other packages come from pip's index."""
    if not PACKAGE.joinpath('__init__.py').is_relative_to(ROOT):
        pytest.skip('the source of the package is not here: run `make slow` for it')
    index, home = tmp_path / 'index', tmp_path / 'home'
    source = tmp_path / 'source'
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns('.*', 'data', 'work_dirs', 'build'))
    pip = [sys.executable, '-m', 'pip']
    options = ['--no-deps', '--no-build-isolation', '--wheel-dir', str(index)]
    subprocess.run([*pip, 'wheel', '--quiet', *options, str(source)], check=True)
    subprocess.run([sys.executable, '-m', 'venv', str(home)], check=True)
    python = str(home / 'bin' / 'python')
    install = [python, '-m', 'pip', 'install', '--quiet', '--find-links', str(index)]
    subprocess.run([*install, 'pmd-mmaction[openmmlab]'], check=True)
    command = [python, '-m', 'pmd_mmaction', 'doctor']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and 'OK: 0 errors' in done.stdout, done.stdout + done.stderr
