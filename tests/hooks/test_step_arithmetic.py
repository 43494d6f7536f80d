"""The warning of another number of GPUs, whose options keep the step."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config, DictAction
from torch import nn, optim
from torch.utils.data import DataLoader

from pmd_mmaction.hooks import step_arithmetic
from pmd_mmaction.hooks.step_arithmetic import same_step, warn_of_other_steps
from tests.every import every
from tests.integration import tiny

SIZES = st.integers(1, 64)


@given(ranks=st.integers(1, 128), meant=SIZES, batch=SIZES, accumulation=st.integers(1, 8))
def test_the_step_is_kept_by_the_fewest_iterations(ranks, meant, batch, accumulation):
    videos, base = meant * batch * accumulation, 256
    fits = {
        steps: videos // (ranks * steps)
        for steps in range(1, videos + 1)
        if videos % (ranks * steps) == 0 and base % steps == 0
    }
    fits = {steps: size for steps, size in fits.items() if size <= batch}
    kept = same_step(ranks, meant, batch, accumulation, base)
    assert kept == (None if not fits else (fits[min(fits)], min(fits)))


def test_the_examples_of_its_page():
    assert same_step(ranks=64, meant=8, batch=64, accumulation=2, base=256) == (16, 1)
    assert same_step(ranks=2, meant=8, batch=64, accumulation=2, base=256) == (64, 8)
    assert same_step(ranks=64, meant=8, batch=64, accumulation=1, base=256) == (8, 1)  # kinetics.md


def runner_of(cfg, ranks, told):
    loader = cfg.train_dataloader
    steps = cfg.optim_wrapper.get('accumulative_counts', 1)
    data = DataLoader(range(10**5), batch_size=loader.batch_size)
    rate = cfg.optim_wrapper.optimizer.lr
    rate *= ranks * loader.batch_size / cfg.auto_scale_lr.base_batch_size
    return SimpleNamespace(
        auto_scale_lr=cfg.auto_scale_lr,
        train_dataloader=data,
        optim_wrapper=SimpleNamespace(
            _accumulative_counts=steps, optimizer=optim.SGD(nn.Linear(1, 1).parameters(), rate)
        ),
        logger=SimpleNamespace(warning=told.append),
    )


@pytest.mark.parametrize('ranks', [1, 4, 16, 64])
@pytest.mark.parametrize('name', ['pmd/vit-b_k400_pretrain', 'amd/vit-b_k400_pretrain'])
def test_its_options_keep_step_and_rate(name, ranks, monkeypatch):
    cfg = Config.fromfile(tiny.CONFIGS / f'{name}.py')
    monkeypatch.setattr(step_arithmetic, 'get_world_size', lambda: ranks)
    told = []
    warn_of_other_steps(runner_of(cfg, ranks, told), 8)
    step, rate = re.search(
        r'steps of (\d+) videos and a learning rate of (\S+)\.', told[0]
    ).groups()
    words = re.search('--cfg-options (.*) keeps them', told[0])[1].split()
    options = dict(word.split('=') for word in words)
    cfg.merge_from_dict({k: DictAction._parse_iterable(v) for k, v in options.items()})
    steps = cfg.optim_wrapper.get('accumulative_counts', 1)
    sampler = cfg.train_dataloader.get('batch_sampler') or {}
    assert sampler.get('accumulative_counts', 1) == steps
    assert cfg.auto_scale_lr.get('accumulative_counts', 1) == steps
    assert ranks * cfg.train_dataloader.batch_size * steps == int(step)
    kept = runner_of(cfg, ranks, told).optim_wrapper.optimizer.param_groups[0]['lr']
    assert kept == pytest.approx(float(rate), rel=5e-3)  # of three digits
    warn_of_other_steps(runner_of(cfg, ranks, told), cfg.default_hooks.plan.ranks)
    assert len(told) == 1


def test_the_meant_number_and_fixed_rates_are_silent(monkeypatch):
    cfg = Config.fromfile(tiny.CONFIGS / 'pmd' / 'vit-b_k400_pretrain.py')
    monkeypatch.setattr(step_arithmetic, 'get_world_size', lambda: 8)
    told = []
    warn_of_other_steps(runner_of(cfg, 8, told), 8)
    cfg.auto_scale_lr.enable = False
    warn_of_other_steps(runner_of(cfg, 8, told), 4)
    assert not told


@every('name', tiny.SHIPPED)
def test_every_rate_that_scales_has_its_number_of_gpus(name):
    cfg = Config.fromfile(tiny.CONFIGS / name)
    if cfg.get('auto_scale_lr', {}).get('enable') and 'train_dataloader' in cfg:
        assert cfg.default_hooks.plan.ranks == 8
