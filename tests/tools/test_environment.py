"""Tools outside the environment, and CPUs for the workers of a run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.every import every

TOOLS = Path(__file__).parents[2] / 'tools'
CONFIGS = TOOLS.parent / 'configs' / 'pmd'
ENTER = (
    'run `make env` once, then .venv/bin/python instead of python, or `source .venv/bin/activate`'
)


def _program(path: Path, text: str) -> str:
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize('flags', ['-S', '-IS'])  # without packages; without the script's folder
@every('tool', sorted(TOOLS.rglob('*.py')))
def test_a_tool_outside_the_environment_says_how_to_enter_it(tmp_path, tool, flags):
    done = subprocess.run(
        [sys.executable, flags, str(tool), 'some', 'arguments'],
        env={key: value for key, value in os.environ.items() if key != 'PYTHONPATH'},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and not done.stdout
    assert ENTER in done.stderr and 'has no torch, mmengine, pmd_mmaction' in done.stderr
    assert done.stderr.count('\n') == 1


@pytest.mark.parametrize(
    'script, place',
    [
        ('dist_train.sh', ['a.py', '2']),
        ('dist_test.sh', ['a.py', 'a.pth', '2']),
        ('slurm_train.sh', ['part', 'job', 'a.py']),
        ('slurm_test.sh', ['part', 'job', 'a.py', 'a.pth']),
    ],
)
@pytest.mark.parametrize('name', ['python', 'python3'])  # many systems have only the second
def test_a_launcher_outside_the_environment_says_so_too(tmp_path, script, place, name):
    _program(tmp_path / name, f'exec {sys.executable} -IS "$@"')
    _program(tmp_path / 'srun', 'echo started')
    for tool in ('dirname', 'bash', 'sed'):
        (tmp_path / tool).symlink_to(f'/usr/bin/{tool}')
    done = subprocess.run(
        ['/bin/bash', TOOLS / script, *place],
        env=dict(PATH=str(tmp_path)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and not done.stdout
    assert ENTER in done.stderr and done.stderr.count('\n') == 1


@pytest.mark.parametrize(
    'script, given, extra, cpus',
    [
        ('slurm_train.sh', ['vit-b_k400_pretrain.py'], {}, 9),
        ('slurm_train.sh', ['vit-tiny_demo_pretrain.py'], {}, 2),
        (
            'slurm_train.sh',
            ['vit-b_k400_pretrain.py', '--amp', '--cfg-options', 'train_dataloader.num_workers=12'],
            {},
            13,
        ),
        (
            'slurm_train.sh',
            ['vit-b_k400_finetune.py', '--cfg-options', 'val_dataloader.num_workers=20'],
            {},
            21,
        ),
        (
            'slurm_test.sh',
            ['vit-b_k400_finetune.py', 'a.pth', '--cfg-options', 'test_dataloader.num_workers=0'],
            {},
            1,
        ),
        ('slurm_train.sh', ['vit-b_k400_pretrain.py'], dict(CPUS_PER_TASK='4'), 4),
    ],
)
def test_slurm_gives_cpus_for_the_workers_of_the_config(tmp_path, script, given, extra, cpus):
    _program(tmp_path / 'srun', 'printf "%s\\n" "$@"')
    done = subprocess.run(
        ['bash', TOOLS / script, 'part', 'job', str(CONFIGS / given[0]), *given[1:]],
        env=os.environ | dict(PATH=f'{tmp_path}:/usr/bin:/bin', PYTHON=sys.executable) | extra,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f'--cpus-per-task={cpus}' in done.stdout.splitlines()
