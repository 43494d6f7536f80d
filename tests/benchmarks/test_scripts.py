"""Every benchmark runs from the command line on a tiny case."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import tiny

ROOT = Path(__file__).parents[2]
MASKS = ['PMD, half decoded', 'PMD, 2 masks', 'PMD, 4 masks, half decoded']


@pytest.mark.parametrize(
    'command, words',
    [
        (
            [
                'step_time.py',
                '--tiny',
                '--repeats=1',
                '--autocast',
                '--memory',
                '--variants',
                'base',
                'PMD',
            ],
            ['| PMD |', 'of base', 'bf16 autocast', 'peak GiB'],
        ),
        (
            ['step_time.py', '--tiny', '--repeats=1', '--cpu-time', '--variants', *MASKS],
            [*(f'| {name} |' for name in MASKS), 'CPU seconds of a step', 'per pass'],
        ),
        (['teacher_precision.py', '--tiny'], ['| gradient |', 'bfloat16']),
        (['reference_step.py', '--tiny', '--repeats', '1'], ['reference step, batch 1:']),
        (['ceiling.py', '--tiny', '--repeats', '1'], ['| backward |', '| AdamW |']),
        (
            ['growth.py', '--tiny', '--repeats', '1', '--points', 'batch 2'],
            ['| batch 2 |', '80 GB'],
        ),
        (['finite_check.py', '--tiny', '--repeats', '1'], ['| check |', '| clipping by norm |']),
        (
            ['optimizer_step.py', '--tiny', '--repeats', '1'],
            ['| fused, many groups |', '| fused, merged | 2 |', '| foreach, merged | 2 |'],
        ),
        (['long_list.py', '--videos', '1000'], ['| 1,000 |', 'fingerprint, s']),
        (['data_pipeline.py', '--tiny'], ['| MMAction2 (decord) |', '| VideoInit, pyav |']),
        (
            ['communication.py', '--ranks', '2', '--accumulation', '2'],
            ['| 2 | 2 | all_reduce | backward | 1.5 |'],
        ),
    ],
)
def test_it_runs(command, words):
    result = subprocess.run(
        [sys.executable, ROOT / 'benchmarks' / command[0], *command[1:]],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert result.returncode == 0, result.stderr
    for word in ('commit', *words):
        assert word in result.stdout


def test_term_balance(tmp_path):
    clips = tiny.make_clips(tmp_path / 'clips')
    result = subprocess.run(
        [
            sys.executable,
            ROOT / 'benchmarks/term_balance.py',
            '--tiny',
            '--batch=1',
            f'--data={clips}',
        ],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert result.returncode == 0, result.stderr
    for word in ('commit', '| the letter |', '| norm, FC zero |'):
        assert word in result.stdout
