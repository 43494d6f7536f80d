"""tools/dist_train.sh trains on two processes, tools/train.py goes on with one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TOOLS = Path(__file__).parents[2] / 'tools'
MODULE = """
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.model import BaseModel

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
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=0.1))
randomness = dict(seed=0)
env_cfg = dict(dist_cfg=dict(backend='nccl'))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1))
"""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


@pytest.mark.skipif(torch.cuda.is_available(), reason='two processes would need two GPUs')
def test_two_ranks_train_and_one_goes_on(tmp_path):
    place = tmp_path / 'a place'
    place.mkdir()
    (place / 'tiny_module.py').write_text(MODULE)
    (place / 'my config.py').write_text(CONFIG)
    env = dict(
        os.environ,
        PYTHON=sys.executable,
        PYTHONPATH=os.pathsep.join(
            [str(place), str(TOOLS.parent), os.environ.get('PYTHONPATH', '')]
        ),
        PORT=str(_free_port()),
        OMP_NUM_THREADS='1',
    )

    def run(*command: str) -> str:
        done = subprocess.run(
            command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    options = ['--work-dir', 'my runs', '--resume']
    run('bash', str(TOOLS / 'dist_train.sh'), 'a place/my config.py', '2', *options)
    assert (tmp_path / 'my runs' / 'epoch_1.pth').is_file()

    options += ['--cfg-options', 'train_cfg.max_epochs=2']
    printed = run(sys.executable, str(TOOLS / 'train.py'), 'a place/my config.py', *options)
    assert 'resumed epoch: 1' in printed
    assert (tmp_path / 'my runs' / 'epoch_2.pth').is_file()
