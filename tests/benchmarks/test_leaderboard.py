"""The leaderboard: its statistics, and a board that is run and taken up again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.integration import tiny

ROOT = Path(__file__).parents[2]


def cells(*values, seeds=None):
    seeds = seeds or range(len(values))
    return [dict(seed=s, top1=dict(linear=v)) for s, v in zip(seeds, values, strict=True)]


@pytest.fixture
def table(benchmark_module):
    return benchmark_module('board_table')


@pytest.fixture
def board(benchmark_module):
    return benchmark_module('leaderboard')


def test_the_interval_and_the_test_are_those_of_student(table):
    values = [0.3, 0.1, 0.25, 0.4, 0.2]
    found = table.estimate(values)
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_one_value_has_no_interval(table):
    assert np.isnan(table.estimate([0.5]).half) and np.isnan(table.estimate([0.5]).p)


def test_seeds_are_paired(table):
    base = cells(0.5, 0.9, 0.1)
    better = cells(0.91, 0.11, 0.52, seeds=[1, 2, 0])
    found = table.gain(better, base, 'linear')
    assert found.mean == pytest.approx(0.04 / 3)
    assert found.p == pytest.approx(stats.ttest_rel([0.52, 0.91, 0.11], [0.5, 0.9, 0.1]).pvalue)


def test_epochs_are_shared_among_the_phases(board):
    assert board.share(16, 4) == [4, 4, 4, 4]
    assert board.share(14, 4) == [4, 4, 3, 3]


def test_a_method_is_a_config_and_changes(board):
    config = 'configs/pmd/vit-tiny_demo_pretrain.py'
    found = board.parse_method(f'half={config}:model.clfa.loss_weight=0.5:model.psd=None')
    assert found == ('half', config, {'model.clfa.loss_weight': 0.5, 'model.psd': None})


@pytest.mark.parametrize(
    'text, message',
    [('configs/x.py', 'is not NAME=CONFIG'), ('a=nowhere.py', 'there is no config')],
)
def test_other_methods_are_refused(board, text, message):
    with pytest.raises(Exception, match=message):
        board.parse_method(text)


def test_a_board_goes_on_where_it_stopped(tmp_path):
    videos = tiny.make_clips(tmp_path / 'clips')
    cfg = tiny.tiny_config(videos, tmp_path)
    curriculum = dict(type='ProgressivePhaseHook', phases=[(0.75, 2)])
    cfg.default_hooks.update(
        step_seed=dict(type='StepSeedHook'),
        curriculum=curriculum,
        difficulty=dict(type='DAREHook', stage_epochs=1),
    )
    cfg.custom_hooks, cfg.train_cfg = [], dict(type='ResumableTrainLoop')
    cfg.pop('param_scheduler')
    cfg.dump(tmp_path / 'config.py')

    def run(*methods):
        command = [
            *(sys.executable, '-W', 'ignore', 'benchmarks/leaderboard.py'),
            *(f'{name}={tmp_path / "config.py"}{changes}' for name, changes in methods),
            *('--seeds', '1', '--epochs', '2', '--jobs', '1', '--device', 'cpu'),
            *('--data', str(videos), '--results', str(tmp_path / 'results')),
            *('--work-dir', str(tmp_path / 'work'), '--plot', str(tmp_path / 'board.png')),
        ]
        environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert '| a | 2 |' in run(('a', ''))
    (first,) = tmp_path.glob('results/*/a_seed0.json')
    before = first.stat().st_mtime_ns
    table = run(('a', ''), ('b', ':model.clfa=None'))
    assert first.stat().st_mtime_ns == before, 'a finished cell is not run again'
    assert '| a | 2 |' in table and '| b | 2 |' in table
    (second,) = tmp_path.glob('results/*/b_seed0.json')
    found = json.loads(second.read_text())
    assert set(found['top1']) == {'knn', 'linear', 'linear_few'}
    assert found['changes'] == {'model.clfa': None}
    assert found['gflops_per_clip'] < json.loads(first.read_text())['gflops_per_clip']
    assert (tmp_path / 'board.png').stat().st_size > 5000
