"""Batch arithmetic and learning rates of the methods' configs against those of their own code."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from safetensors import safe_open

from tests.integration import tiny
from tests.integration.shipped import epochs_of, schedulers_of
from tests.models.recognizers.golden import FOLDER


def recorded(method, unit):
    """{iteration or epoch: rate} of the published setting."""
    with safe_open(FOLDER / f'{method}.safetensors', 'pt') as file:
        keys = (f'sched.published.{unit}', 'sched.published.lr')
        return dict(zip(*(file.get_tensor(key).tolist() for key in keys)))


def rates(cfg, peak, length, epochs):
    """The learning rate of every iteration."""
    init_default_scope('mmaction')
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=peak)
    default = dict(optimizer=optimizer, epoch_length=length)
    schedulers = [PARAM_SCHEDULERS.build(s, default_args=default) for s in schedulers_of(cfg)]
    found = []
    for _ in range(epochs * length):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return found


def peak_of(cfg, gpus=8):
    """The rate at the top, as MMEngine scales it, and the clips of a step."""
    clips = gpus * cfg.train_dataloader.batch_size
    peak = cfg.optim_wrapper.optimizer.lr * clips / cfg.auto_scale_lr.base_batch_size
    return peak, clips * cfg.optim_wrapper.get('accumulative_counts', 1)


def test_smile():
    cfg = Config.fromfile(tiny.CONFIGS / 'smile' / 'vit-b_k400_pretrain_600e_stage2.py')
    for other in ('600e_stage1', '1200e_stage1', '1200e_stage2'):
        path = tiny.CONFIGS / 'smile' / f'vit-b_k400_pretrain_{other}.py'
        for key in ('param_scheduler', 'optim_wrapper', 'auto_scale_lr'):
            assert Config.fromfile(path)[key] == cfg[key]
    peak, clips = peak_of(cfg)
    assert clips * cfg.model.num_masks == 256 and cfg.auto_scale_lr.enable
    assert peak == pytest.approx(1.5e-4)
    length, expected = 938, recorded('smile', 'iters')
    found = rates(cfg, peak, length, epochs=201)  # of 801, of which a stage runs 150 to 400
    expected = {i: rate for i, rate in expected.items() if i < len(found)}
    assert len(expected) >= 7 and max(expected) > 150 * length
    for iteration, rate in expected.items():
        assert found[iteration] == pytest.approx(rate, rel=1e-4, abs=1e-10), iteration


def test_dmae():
    cfg = Config.fromfile(tiny.CONFIGS / 'dmae' / 'vit-b_k400_pretrain.py')
    peak, clips = peak_of(cfg)
    assert clips == 4096 and peak == pytest.approx(1.5e-4 * 4096 / 256)
    length, expected = 50, recorded('dmae', 'epoch')
    found = rates(cfg, peak, length, epochs_of(cfg))
    assert epochs_of(cfg) == 100 and len(expected) >= 8
    for epoch, rate in expected.items():
        # MMEngine's warm-up reaches the top an iteration earlier
        iteration = min(round(epoch * length), len(found) - 1)
        assert found[iteration] == pytest.approx(rate, abs=peak / (20 * length)), epoch
    assert cfg.model.masker.type == 'TubeMasker'
    assert cfg.default_hooks.curriculum.phases == [(0.75, 100)]
