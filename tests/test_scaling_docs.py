"""The batch script of docs/scaling.md, with stand-ins for Slurm's commands."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from mmengine.config import Config

from tests.integration.tiny import CONFIGS

TEXT = (Path(__file__).parents[1] / 'docs/scaling.md').read_text(encoding='utf-8')
(SCRIPT,) = re.findall(r'```bash\n(#!/usr/bin/env bash\n.*?)```', TEXT, re.DOTALL)


@pytest.mark.parametrize(
    'status, complete, queued', [(0, False, True), (0, True, False), (1, False, False)]
)
def test_it_is_queued_again_unless_complete_or_broken(tmp_path, status, complete, queued):
    """srun notes its command, writes the student of a complete run and ends with a status."""
    folder = 'work_dirs/vit-b_k400_pretrain'  # as the config is called
    result = f'mkdir -p {folder} && touch {folder}/student.pth' if complete else ':'
    tools = dict(
        srun=f'echo "$@" > srun_called; {result}; exit {status}', scontrol='echo "$@" > queued'
    )
    for name, body in tools.items():
        (tmp_path / name).write_text(f'#!/usr/bin/env bash\n{body}\n')
        (tmp_path / name).chmod(0o755)
    (tmp_path / 'job.sh').write_text(SCRIPT)
    env = dict(os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}', SLURM_JOB_ID='77')
    env['SLURM_CPUS_PER_TASK'] = '9'
    done = subprocess.run(['bash', 'job.sh'], cwd=tmp_path, env=env)
    assert done.returncode == status
    command = (tmp_path / 'srun_called').read_text()
    assert '--launcher slurm' in command and '--resume' in command
    assert '--cpus-per-task=9' in command
    assert (tmp_path / 'queued').exists() == queued
    if queued:
        assert (tmp_path / 'queued').read_text() == 'requeue 77\n'


def test_slurm_is_asked_for_what_the_script_relies_on():
    options = ' '.join(re.findall(r'^#SBATCH (.*)$', SCRIPT, re.MULTILINE))
    assert '--signal=USR1@' in options and '--requeue' in options


def test_the_config_of_the_flexible_runner_keeps_the_other_hooks(tmp_path):
    (lines,) = re.findall(r"```python\n(runner_type = 'FlexibleRunner'\n.*?)```", TEXT, re.DOTALL)
    base = CONFIGS / 'pmd' / 'vit-b_k400_pretrain.py'
    (tmp_path / 'config.py').write_text(f"_base_ = '{base}'\n{lines}")
    hooks = Config.fromfile(tmp_path / 'config.py').default_hooks
    before = Config.fromfile(base).default_hooks
    assert hooks.preemption is None and hooks.checkpoint.type == 'CheckpointHook'
    assert hooks.keys() == before.keys()
    same = hooks.keys() - {'preemption', 'checkpoint'}
    assert all(hooks[name] == before[name] for name in same)
