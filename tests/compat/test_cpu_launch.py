"""The fault that two processes cannot train without a GPU; tests/tools/test_two_ranks.py trains."""

import os
import subprocess
import sys

import pytest
import torch
from mmengine._strategy import DDPStrategy
from mmengine.dist import utils as dist_utils
from mmengine.runner import Runner

from pmd_mmaction.compat import cpu_launch
from pmd_mmaction.diagnosis import environment

no_gpu = pytest.mark.skipif(not cpu_launch._on_cpu(), reason='this machine has an accelerator')
SCRIPT = """
import sys
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.layer(torch.stack(inputs)).square().mean())

runner = Runner(
    Model(), sys.argv[1], launcher='pytorch', log_level='WARNING',
    train_dataloader=dict(
        dataset=[dict(inputs=torch.full((2,), float(i))) for i in range(4)], batch_size=1,
        sampler=dict(type='DefaultSampler', shuffle=True), num_workers=0),
    train_cfg=dict(by_epoch=True, max_epochs=1),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
    default_hooks=dict(runtime_info=None, checkpoint=None))
runner.train()
print('trained')
"""


@no_gpu
def test_two_ranks_fail_without_the_repair(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT)
    launch = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    done = subprocess.run(
        [*launch, str(script), str(tmp_path / 'work')],
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONWARNINGS='ignore'),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode != 0 and 'trained' not in done.stdout
    assert 'torch.cuda.set_device' in done.stderr


def _set_device(backend, **kwargs):
    torch.cuda.set_device(0)
    _set_device.backend = backend


@no_gpu
@pytest.mark.parametrize(('asked', 'used'), [('nccl', 'gloo'), ('gloo', 'gloo'), ('mpi', 'mpi')])
def test_the_launcher_skips_the_device_and_keeps_a_backend_that_works(asked, used, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    original = torch.cuda.set_device
    cpu_launch._with_gloo(_set_device)(asked)
    assert _set_device.backend == used
    assert torch.cuda.set_device is original


@no_gpu
@pytest.mark.parametrize('name', ['CUDA_VISIBLE_DEVICES', 'SLURM_JOB_GPUS', 'SLURM_STEP_GPUS'])
def test_a_node_that_lost_its_gpus_is_refused(monkeypatch, name):
    for other in cpu_launch._GIVEN:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, '0,1')
    with pytest.raises(RuntimeError, match=f'sees no GPU here.*{name}=0,1 tells of one.*doctor'):
        cpu_launch._with_gloo(_set_device)('nccl')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')  # the CPU is chosen
    cpu_launch._with_gloo(_set_device)('nccl')


@no_gpu
def test_devices_tell_of_gpus_unless_the_cpu_is_chosen(monkeypatch, tmp_path):
    for name in cpu_launch._GIVEN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cpu_launch, 'Path', lambda path: tmp_path)
    (tmp_path / 'nvidiactl').touch()
    assert cpu_launch.unseen_gpus() is None
    (tmp_path / 'nvidia0').touch()
    assert cpu_launch.unseen_gpus() == str(tmp_path / 'nvidia0')
    found = {finding.subject: finding for finding in environment.examine_devices()}['GPU']
    assert found.level == 'warning' and f'{tmp_path / "nvidia0"} tells of one' in found.found
    for value in ('', '-1', 'NoDevFiles'):
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', value)
        assert cpu_launch.unseen_gpus() is None


@no_gpu
def test_every_launcher_is_repaired():
    for name in ('_init_dist_pytorch', '_init_dist_slurm', '_init_dist_mpi'):
        assert hasattr(getattr(dist_utils, name), '__wrapped__')


def test_with_a_gpu_nothing_is_needed(monkeypatch):
    monkeypatch.setattr(cpu_launch, 'get_device', lambda: 'cuda')
    monkeypatch.setattr(dist_utils, '_init_dist_pytorch', _set_device)
    wrap_model = getattr(Runner.wrap_model, '__wrapped__', Runner.wrap_model)
    monkeypatch.setattr(Runner, 'wrap_model', wrap_model)
    wrap_model = getattr(DDPStrategy._wrap_model, '__wrapped__', DDPStrategy._wrap_model)
    monkeypatch.setattr(DDPStrategy, '_wrap_model', wrap_model)
    assert not cpu_launch.init_needs_gpu()
    assert not cpu_launch.ddp_needs_gpu()
    assert not cpu_launch.strategy_needs_gpu()
    monkeypatch.setattr(cpu_launch, 'get_device', lambda: 'cpu')
    assert cpu_launch.init_needs_gpu()
    assert cpu_launch.ddp_needs_gpu()
    assert cpu_launch.strategy_needs_gpu()


def test_a_repaired_release_is_left_alone(monkeypatch):
    monkeypatch.setattr(cpu_launch, 'get_device', lambda: 'cpu')
    monkeypatch.setattr(dist_utils, '_init_dist_pytorch', lambda backend: None)
    monkeypatch.setattr(Runner, 'wrap_model', lambda self, cfg, model: model)
    monkeypatch.setattr(DDPStrategy, '_wrap_model', lambda self, model: model)
    assert not cpu_launch.init_needs_gpu()
    assert not cpu_launch.ddp_needs_gpu()
    assert not cpu_launch.strategy_needs_gpu()
