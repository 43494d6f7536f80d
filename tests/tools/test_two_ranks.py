"""tools/dist_train.sh: two processes train, one goes on or is lost."""

import os
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from tests.integration.tiny import same

TOOLS = Path(__file__).parents[2] / 'tools'
MODULE = """
import os
import signal
from pathlib import Path

import torch
from mmaction.registry import DATASETS, HOOKS, MODELS
from mmengine.hooks import Hook
from mmengine.model import BaseModel

@HOOKS.register_module()
class LoseRank(Hook):
    def __init__(self, epoch=0):
        self.epoch = epoch

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        rank, lost = os.environ['RANK'], Path(runner.work_dir, 'lost')
        Path(runner.work_dir, f'pid_{rank}').write_text(str(os.getpid()))
        if rank == '1' and batch_idx == 1 and runner.epoch == self.epoch and not lost.exists():
            lost.touch()
            os.kill(os.getpid(), signal.SIGKILL)

@MODELS.register_module()
class TinyModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.layer(torch.stack(inputs)).square().mean())

@DATASETS.register_module()
class TinyData(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(inputs=torch.full((2,), float(index)))
"""
CONFIG = """
custom_imports = dict(imports=['pmd_mmaction', 'tiny_module'], allow_failed_imports=False)
default_scope = 'mmaction'
model = dict(type='TinyModel')
train_dataloader = dict(
    dataset=dict(type='TinyData'), batch_size=1, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True))
train_cfg = dict(by_epoch=True, max_epochs=2)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=0.1))
randomness = dict(seed=0)
env_cfg = dict(dist_cfg=dict(backend='nccl'))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1))
"""
LOST = """
custom_hooks = [dict(type='LoseRank')]
env_cfg = dict(dist_cfg=dict(backend='nccl', timeout=1000))
"""
RESTARTED = """
custom_hooks = [dict(type='LoseRank', epoch=1)]
"""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Where commands run; configs and their module lie in ``a place``."""
    folder = tmp_path_factory.mktemp('ranks')
    place = folder / 'a place'
    place.mkdir()
    (place / 'tiny_module.py').write_text(MODULE)
    (place / 'my config.py').write_text(CONFIG)
    (place / 'lost.py').write_text(CONFIG + LOST)
    (place / 'restarted.py').write_text(CONFIG + RESTARTED)
    return folder


@pytest.fixture(scope='module')
def run(folder):
    """Runs a command."""
    paths = [str(folder / 'a place'), str(TOOLS.parent), os.environ.get('PYTHONPATH', '')]
    env = dict(
        os.environ,
        PYTHON=sys.executable,
        PYTHONPATH=os.pathsep.join(paths),
        OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='',  # two processes would need two
    )

    def start(*command: str, **more: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            command, env=env | more, cwd=folder, capture_output=True, text=True, timeout=240
        )

    return start


@pytest.fixture(scope='module')
def whole(run, folder):
    """The folder of an uninterrupted run of two ranks, two epochs."""
    command = ('bash', str(TOOLS / 'dist_train.sh'), 'a place/my config.py', '2')
    done = run(*command, '--work-dir', 'my runs')
    assert done.returncode == 0, done.stderr
    return folder / 'my runs'


def test_one_rank_goes_on_with_a_run_of_two(run, whole, folder):
    begun = ['--resume', str(whole / 'epoch_1.pth'), '--work-dir', 'one']
    done = run(sys.executable, str(TOOLS / 'train.py'), 'a place/my config.py', *begun)
    assert done.returncode == 0, done.stderr
    assert 'resumed epoch: 1' in done.stdout + done.stderr
    assert (folder / 'one' / 'epoch_2.pth').is_file()


def test_a_killed_rank_ends_the_job_with_an_error(run, folder):
    """Under torchrun, long before the timeout of the collectives."""
    begin = time.monotonic()
    done = run('bash', str(TOOLS / 'dist_train.sh'), 'a place/lost.py', '2', '--work-dir', 'run')
    assert time.monotonic() - begin < 120
    assert done.returncode != 0
    assert re.search(r'rank *: 1 .*\n.*exitcode *: -9', done.stderr), done.stderr
    for rank in (0, 1):
        with pytest.raises(ProcessLookupError):
            os.kill(int((folder / 'run' / f'pid_{rank}').read_text()), 0)


def test_a_killed_rank_is_started_again(run, whole, folder):
    """The end is bit for bit that of an uninterrupted run."""
    command = ('bash', str(TOOLS / 'dist_train.sh'), 'a place/restarted.py', '2')
    done = run(*command, '--work-dir', 'again', MAX_RESTARTS='1')
    assert done.returncode == 0, done.stderr
    assert (folder / 'again' / 'lost').exists()
    assert 'resumed epoch: 1' in done.stdout + done.stderr
    expected, found = (
        torch.load(path / 'epoch_2.pth', weights_only=False) for path in (whole, folder / 'again')
    )
    for key in ('state_dict', 'optimizer'):
        assert same(expected[key], found[key]), key


def test_two_machines_meet(run, folder):
    """Two launchers with one process each, on the loopback interface."""
    command = ('bash', str(TOOLS / 'dist_train.sh'), 'a place/my config.py', '1')
    place = dict(NNODES='2', PORT=str(_free_port()))
    with ThreadPoolExecutor() as pool:
        started = [pool.submit(run, *command, '--work-dir', 'shared', **place) for _ in range(2)]
        for done in (future.result() for future in started):
            assert done.returncode == 0, done.stderr
    told = ''.join(path.read_text() for path in folder.glob('shared/*/*.log'))
    assert '2 rank(s)' in told or '[2/2]' in told
    assert (folder / 'shared' / 'epoch_2.pth').is_file()
