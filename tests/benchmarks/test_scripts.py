"""Every benchmark runs from the command line on a tiny case."""

import runpy
import sys
from collections import OrderedDict

import pytest
import torch
from mmengine.registry import DefaultScope

from tests.forked_script import run_script
from tests.integration import tiny

FOLDER = tiny.ROOT / 'benchmarks'
MASKS = ['PMD, half decoded', 'PMD, 2 masks', 'PMD, 4 masks, half decoded']


# ---------------------------------------------------------------------- processes of their own


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
        (['data_pipeline.py', '--tiny'], ['| MMAction2 (decord) |', '| VideoInit, pyav |']),
        (
            ['communication.py', '--ranks', '2', '--accumulation', '2'],
            ['| 2 | 2 | all_reduce | backward | 1.5 |'],
        ),
    ],
    ids=lambda value: value[0],
)
def test_it_runs_from_the_command_line(command, words):
    """A script of single steps, and those that start workers or ranks."""
    result = run_script([FOLDER / command[0], *command[1:]], tiny.ROOT)
    assert result.returncode == 0, result.stderr
    for word in ('commit', *words):
        assert word in result.stdout


# ---------------------------------------------------------------------- in this process


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a script here: the start of an interpreter takes longer than the tiny case."""
    monkeypatch.syspath_prepend(FOLDER)
    # The script has to choose MMEngine's scope by itself, as in a new process.
    monkeypatch.setattr(DefaultScope, '_instance_dict', OrderedDict())
    threads, random = torch.get_num_threads(), torch.get_rng_state()

    def printed(script: str, *options: str) -> str:
        monkeypatch.setattr(sys, 'argv', [script, *options])
        runpy.run_path(str(FOLDER / script), run_name='__main__')
        return capsys.readouterr().out

    yield printed
    torch.set_num_threads(threads)
    torch.set_rng_state(random)


@pytest.mark.parametrize(
    'command, words',
    [
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
        (['hook_cost.py', '--tiny', '--rounds', '1'], ['| HealthHook |', '| TermBalanceHook |']),
        (['long_list.py', '--videos', '1000'], ['| 1,000 |', 'fingerprint, s']),
    ],
    ids=lambda value: value[0],
)
def test_it_runs(run, command, words):
    printed = run(*command)
    for word in ('commit', *words):
        assert word in printed


def test_term_balance(run, tmp_path):
    clips = tiny.make_clips(tmp_path / 'clips')
    printed = run('term_balance.py', '--tiny', '--batch=1', f'--data={clips}')
    for word in ('commit', '| as written |', '| norm, FC zero |'):
        assert word in printed
