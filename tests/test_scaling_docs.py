"""The batch script of docs/scaling.md, with stand-ins for Slurm's commands."""

import os
import re
import subprocess
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / 'docs/scaling.md').read_text(encoding='utf-8')
(SCRIPT,) = re.findall(r'```bash\n(#!/usr/bin/env bash\n#SBATCH.*?)```', TEXT, re.DOTALL)


@pytest.mark.parametrize(
    'status, complete, queued', [(0, False, True), (0, True, False), (1, False, False)]
)
def test_it_is_queued_again_unless_complete_or_broken(tmp_path, status, complete, queued):
    """srun notes its command, writes the student of a complete run and ends with a status."""
    result = 'mkdir -p work_dirs/pmd && touch work_dirs/pmd/student.pth' if complete else ':'
    tools = dict(
        srun=f'echo "$@" > srun_called; {result}; exit {status}', scontrol='echo "$@" > queued'
    )
    for name, body in tools.items():
        (tmp_path / name).write_text(f'#!/usr/bin/env bash\n{body}\n')
        (tmp_path / name).chmod(0o755)
    (tmp_path / 'job.sh').write_text(SCRIPT)
    env = dict(os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}', SLURM_JOB_ID='77')
    done = subprocess.run(['bash', 'job.sh'], cwd=tmp_path, env=env)
    assert done.returncode == status
    command = (tmp_path / 'srun_called').read_text()
    assert '--launcher slurm' in command and '--resume' in command
    assert (tmp_path / 'queued').exists() == queued
    if queued:
        assert (tmp_path / 'queued').read_text() == 'requeue 77\n'


def test_slurm_is_asked_for_what_the_script_relies_on():
    options = ' '.join(re.findall(r'^#SBATCH (.*)$', SCRIPT, re.MULTILINE))
    assert '--signal=USR1@' in options and '--requeue' in options
