"""tools/train.py, tools/test.py and the scripts that start them on several processes."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from mmengine.config import Config

from tests.every import every

TOOLS = Path(__file__).parents[2] / 'tools'
SCRIPTS = ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh']


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f'tool_{name}', TOOLS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


train, test = _load('train'), _load('test')


def _train(cfg: dict, *options: str) -> Config:
    return train.merge_args(Config(cfg), train.parse_args(['some/my_config.py', *options]))


def _test(cfg: dict, *options: str) -> Config:
    cfg = dict(test_dataloader=dict(batch_size=1), **cfg)
    return test.merge_args(Config(cfg), test.parse_args(['my_config.py', 'a.pth', *options]))


# --- options of train.py ---


def test_seed_wins_over_the_config():
    cfg = _train(dict(randomness=dict(seed=1, deterministic=True)), '--seed', '5')
    assert cfg.randomness == dict(seed=5, deterministic=True)
    assert _train(dict(randomness=dict(seed=1))).randomness == dict(seed=1)
    assert _train({}, '--seed', '0', '--diff-rank-seed', '--deterministic').randomness == dict(
        seed=0, diff_rank_seed=True, deterministic=True
    )
    # as in MMAction2's own configs; the Runner demands the key
    assert _train({}, '--deterministic').randomness == dict(seed=None, deterministic=True)
    assert _train(dict(default_hooks=None), '--resume').randomness == dict(seed=None)


def test_work_dir_comes_from_the_option_then_the_config_then_its_name():
    assert _train(dict(work_dir='a'), '--work-dir', 'b').work_dir == 'b'
    assert _train(dict(work_dir='a')).work_dir == 'a'
    assert _train({}).work_dir == os.path.join('work_dirs', 'my_config')


def test_named_options_win_over_cfg_options():
    cfg = _train({}, '--seed', '3', '--cfg-options', 'randomness.seed=4', 'a.b=[1,2]')
    assert cfg.randomness.seed == 3
    assert cfg.a.b == [1, 2]


def test_a_misspelt_setting_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, 'train', lambda cfg: None)
    monkeypatch.setenv('LOCAL_RANK', '0')
    (tmp_path / 'config.py').write_text('custom_hook = []\nauto_scale_lr = dict(enabled=True)\n')
    train.main([str(tmp_path / 'config.py')])
    assert capsys.readouterr().err.splitlines() == [
        f'{tmp_path}/config.py: custom_hook is not a setting of MMEngine, write custom_hooks?',
        f'{tmp_path}/config.py: auto_scale_lr.enabled is not a setting of MMEngine, '
        'write auto_scale_lr.enable?',
    ]
    monkeypatch.setenv('LOCAL_RANK', '1')
    train.main([str(tmp_path / 'config.py')])
    assert not capsys.readouterr().err


def test_no_validate():
    cfg = _train(dict(val_cfg={}, val_dataloader={}, val_evaluator={}), '--no-validate')
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None


def test_auto_scale_lr():
    cfg = _train(dict(auto_scale_lr=dict(enable=False, base_batch_size=8)), '--auto-scale-lr')
    assert cfg.auto_scale_lr.enable is True
    with pytest.raises(SystemExit, match='base_batch_size'):
        _train({}, '--auto-scale-lr')


def test_amp_changes_the_wrapper(monkeypatch):
    monkeypatch.setattr(train, 'get_device', lambda: 'cuda')
    cfg = _train(dict(optim_wrapper=dict(optimizer=dict(type='SGD'))), '--amp')
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    with pytest.raises(SystemExit, match='ApexOptimWrapper'):
        _train(dict(optim_wrapper=dict(type='ApexOptimWrapper')), '--amp')


def test_amp_leaves_the_other_settings(monkeypatch):
    monkeypatch.setattr(train, 'get_device', lambda: 'cuda')
    wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=8.0)
    assert _train(dict(optim_wrapper=wrapper), '--amp').optim_wrapper == wrapper


def test_amp_without_a_gpu_is_explained(monkeypatch):
    monkeypatch.setattr(train, 'get_device', lambda: 'cpu')
    with pytest.raises(SystemExit, match='needs a GPU.*Leave the option out'):
        _train(dict(optim_wrapper={}), '--amp')


def test_resume_from_a_path(tmp_path):
    (tmp_path / 'a.pth').touch()
    cfg = _train(dict(load_from='b.pth'), '--resume', str(tmp_path / 'a.pth'))
    assert cfg.resume is True and cfg.load_from == str(tmp_path / 'a.pth')
    with pytest.raises(SystemExit, match=r'no checkpoint .*c\.pth'):
        _train({}, '--resume', str(tmp_path / 'c.pth'))


@pytest.mark.parametrize('count', ['TORCHELASTIC_RESTART_COUNT', 'SLURM_RESTART_COUNT'])
def test_a_restart_after_a_lost_process_goes_on_where_it_stopped(tmp_path, monkeypatch, count):
    (tmp_path / 'a.pth').touch()
    (tmp_path / 'epoch_7.pth').touch()
    options = ['--work-dir', str(tmp_path), '--resume', str(tmp_path / 'a.pth')]
    for restarts, expected in (('0', 'a.pth'), ('1', 'epoch_7.pth')):
        monkeypatch.setenv(count, restarts)
        assert _train({}, *options).load_from == str(tmp_path / expected)
    (tmp_path / 'epoch_7.pth').unlink()  # lost before the first checkpoint
    assert _train({}, *options).load_from == str(tmp_path / 'a.pth')


def test_resume_alone_takes_the_last_checkpoint_or_starts(tmp_path):
    options = ['--work-dir', str(tmp_path), '--resume']
    cfg = _train(dict(load_from='weights.pth'), *options)
    assert cfg.resume is False and cfg.load_from == 'weights.pth'

    last = tmp_path / 'epoch_2.pth'
    last.touch()
    for noted in (last, '/a/directory/before/it/was/moved/epoch_2.pth'):
        (tmp_path / 'last_checkpoint').write_text(str(noted))
        cfg = _train(dict(load_from='weights.pth'), *options)
        assert cfg.resume is True and cfg.load_from == str(last)
        hook = dict(checkpoint=dict(type='SafeCheckpointHook'))  # chooses when it has looked at it
        cfg = _train(dict(load_from='weights.pth', default_hooks=hook), *options)
        assert cfg.resume is True and cfg.load_from is None

    last.unlink()  # noted, then killed before it was there
    assert _train({}, *options).resume is False


# --- options of test.py ---


def test_the_checkpoint_is_loaded_not_resumed():
    cfg = _test(dict(resume=True), '--work-dir', 'w', '--launcher', 'slurm')
    assert (cfg.load_from, cfg.resume, cfg.work_dir, cfg.launcher) == ('a.pth', False, 'w', 'slurm')


def test_show_dir_adds_the_hook():
    options = ['--show-dir', 'd', '--interval', '4', '--wait-time', '0.5']
    hook = _test({}, *options).default_hooks.visualization
    assert hook == dict(
        type='VisualizationHook', enable=True, show=False, out_dir='d', interval=4, wait_time=0.5
    )
    assert 'visualization' not in _test(dict(default_hooks={})).default_hooks


@pytest.mark.parametrize('evaluator', [dict(type='AccMetric'), [dict(type='AccMetric')]])
def test_dump_adds_an_evaluator(evaluator):
    cfg = _test(dict(test_evaluator=evaluator), '--dump', 'out.pkl')
    assert [item.type for item in cfg.test_evaluator] == ['AccMetric', 'DumpResults']
    with pytest.raises(SystemExit, match=r'out\.json'):
        _test(dict(test_evaluator=evaluator), '--dump', 'out.json')


def test_a_config_without_test_data_is_explained():
    with pytest.raises(SystemExit, match='no test_dataloader'):
        test.merge_args(Config({}), test.parse_args(['c.py', 'a.pth']))


@pytest.mark.parametrize('tool', ['train', 'test'])
def test_help(tool, capsys):
    with pytest.raises(SystemExit) as stop:
        _load(tool).parse_args(['--help'])
    assert stop.value.code == 0
    assert '--cfg-options' in capsys.readouterr().out


# --- scripts ---


@pytest.mark.parametrize('script', SCRIPTS)
def test_scripts_parse_and_explain_themselves(script):
    subprocess.run(['bash', '-n', TOOLS / script], check=True)
    assert os.access(TOOLS / script, os.X_OK)
    done = subprocess.run(['bash', TOOLS / script], capture_output=True, text=True)
    assert done.returncode == 2
    assert f'tools/{script} ' in done.stderr and done.stderr.count('\n') == 3


@pytest.mark.parametrize('script', SCRIPTS)
def test_scripts_pass_names_with_blanks(tmp_path, script):
    """A stand-in for python and srun prints what it is given, one argument per line."""
    for name in ('python', 'srun'):
        program = tmp_path / name
        program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        program.chmod(0o755)
    files = ['my config.py'] + (['my weights.pth'] if 'test' in script else [])
    options = ['--work-dir', 'my runs', '--cfg-options', 'a=b c']
    place = [*files, '2'] if 'dist' in script else ['part', 'a job', *files]
    done = subprocess.run(
        ['bash', TOOLS / script, *place, *options],
        env=dict(PATH=f'{tmp_path}:/usr/bin:/bin', SRUN_ARGS='--mem=1G --quiet', GPUS='2'),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    given = done.stdout.splitlines()
    tool = str(TOOLS / ('train.py' if 'train' in script else 'test.py'))
    launcher = 'pytorch' if 'dist' in script else 'slurm'
    start = given.index(tool)
    assert given[start:] == [tool, *files, '--launcher', launcher, *options]
    if 'slurm' in script:
        assert {'--mem=1G', '--quiet', '--gres=gpu:2', '--job-name=a job'} <= set(given)
    else:
        assert {'--nproc_per_node=2', '--nnodes=1'} <= set(given)
        if 'train' in script:
            assert {'--rdzv-backend=c10d', '--max-restarts=0', '--local-addr=127.0.0.1'} <= set(
                given
            )
            assert '--rdzv-endpoint=127.0.0.1:0' in given  # not that of another training
            assert '--resume' not in given
        else:
            assert {'--node_rank=0', '--standalone', '--local-addr=127.0.0.1'} <= set(given)


@pytest.mark.parametrize('script', SCRIPTS)
@every('name', [b"it's", b'a"b', b'a\nb', b'$(touch ran)', b'`x`', b'*', b'\xff'])
def test_scripts_pass_any_name(tmp_path_factory, script, name):
    folder = tmp_path_factory.mktemp('place')
    for program in (folder / 'python', folder / 'srun'):
        program.write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
        program.chmod(0o755)
    files = [name] * (2 if 'test' in script else 1)
    place = [*files, b'2'] if 'dist' in script else [b'part', b'job', *files]
    done = subprocess.run(
        ['bash', TOOLS / script, *place, b'--work-dir', name],
        env=dict(PATH=f'{folder}:/usr/bin:/bin'),
        cwd=folder,
        capture_output=True,
        check=True,
    )
    assert done.stdout.split(b'\0').count(name) == len(files) + 1
    assert sorted(os.listdir(folder)) == ['python', 'srun']


# --- signals ---

WAITS = """
import pathlib, signal, sys, time
def save(*_):
    pathlib.Path(__file__).with_name('saved').touch()
    sys.exit(0)
signal.signal(signal.SIGUSR1, save)
pathlib.Path(__file__).with_name('up').touch()
time.sleep(30)
"""


def test_the_warning_of_a_scheduler_reaches_the_ranks(tmp_path):
    for name in ('dist_train.sh', 'environment.py'):
        shutil.copy(TOOLS / name, tmp_path)
    (tmp_path / 'train.py').write_text(WAITS)
    environment = {**os.environ, 'PYTHON': sys.executable}
    command = ['bash', tmp_path / 'dist_train.sh', 'config', '1']
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as script:
        until = time.monotonic() + 25
        while not (tmp_path / 'up').exists() and time.monotonic() < until:
            time.sleep(0.1)
        script.send_signal(signal.SIGUSR1)
        script.communicate()
    assert (tmp_path / 'saved').exists()
