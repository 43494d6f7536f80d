"""MMEngine's FlexibleRunner with its strategies does what the Runner does, or refuses."""

import copy
from pathlib import Path
from unittest import mock

import pytest
import torch
from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import FlexibleRunner

from pmd_mmaction.hooks.unwrapped_model import plain_model
from tests.integration import processes, tiny

END = 'end.pth'


def _config(clips: Path, work_dir: Path) -> Config:
    """Two phases of two epochs that say length and schedulers, accumulated over two iterations.

    SafeCheckpointHook and PreemptionHook, which refuse the FlexibleRunner, are left out.
    """
    cfg = tiny.tiny_config(
        clips,
        work_dir,
        dict(type='Watch'),
        ratios=(0.5, 0.8),
        epochs=2,
        dare=dict(stage_epochs=1),
        phase=dict(schedule=dict(warmup=0.5)),
        launcher='pytorch',
        train_dataloader__batch_size=3,
        optim_wrapper__accumulative_counts=2,
        default_hooks__checkpoint=dict(type='CheckpointHook', interval=1),
    )
    cfg.default_hooks.preemption = cfg.param_scheduler = None
    cfg.train_cfg.pop('max_epochs')
    return cfg


def _flexible(cfg: Config) -> FlexibleRunner:
    """The runner that tools/train.py builds from this config."""
    cfg = copy.deepcopy(cfg)
    cfg.runner_type = 'FlexibleRunner'
    with tiny._quick(), mock.patch('mmengine._strategy.base.collect_env', dict):
        runner = RUNNERS.build(cfg)
        runner.train()
    return runner


def _train(clips: Path, work_dir: Path, flexible: bool, checkpoint: Path | None = None) -> None:
    """Trains, or goes on, and writes down how it was and ended on the main process."""
    cfg = _config(clips, work_dir)
    if checkpoint is not None:
        cfg = tiny.resumed(cfg, checkpoint)
    runner = _flexible(cfg) if flexible else tiny.train(cfg)
    watch = tiny.hook_of(runner, tiny.Watch)
    end = dict(
        steps=watch.steps,
        auxiliary=watch.auxiliary,
        weights=dict(plain_model(runner).state_dict()),
        moments=runner.optim_wrapper.optimizer.state_dict(),
        table=torch.from_numpy(tiny.table_of(runner)),
    )
    if is_main_process():
        torch.save(end, work_dir / END)


def _run(clips: Path, work_dir: Path, *args) -> dict:
    processes.run_ranks(_train, work_dir.with_suffix('.log'), clips, work_dir, *args)
    return tiny.read_checkpoint(work_dir / END)


@pytest.fixture(scope='module')
def finished(clips, tmp_path_factory):
    """Whether flexible to directory and end of a run of two ranks."""
    place = tmp_path_factory.mktemp('strategies')
    directories = {False: place / 'plain', True: place / 'flexible'}
    return {which: (path, _run(clips, path, which)) for which, path in directories.items()}


def test_it_trains_as_the_runner_does(finished):
    plain, flexible = finished[False][1], finished[True][1]
    assert [step['phase'].index for step in plain['steps']] == [0] * 4 + [1] * 4
    assert plain['auxiliary'][3] is not None and plain['table'].any()
    assert len(plain['moments']['state']) > 50
    for name, value in plain.items():
        assert tiny.same(flexible[name], value), name


@pytest.mark.parametrize('before, after', [(True, True), (True, False), (False, True)])
def test_either_goes_on_with_a_checkpoint(finished, clips, tmp_path, before, after):
    work_dir, expected = finished[before]
    resumed = _run(clips, tmp_path / 'run', after, work_dir / 'epoch_3.pth')
    assert len(resumed['steps']) == 2
    assert tiny.same(resumed['steps'], expected['steps'][-2:])
    for name in ('weights', 'moments', 'table'):
        assert tiny.same(resumed[name], expected[name]), name


def _refuses(clips: Path, work_dir: Path) -> None:
    cfg = _config(clips, work_dir)
    cfg.default_hooks.checkpoint.type = 'SafeCheckpointHook'
    words = "FlexibleRunner has loaded.*checkpoint.type='CheckpointHook'"
    with pytest.raises(TypeError, match=words):
        _flexible(cfg)


def test_checkpoints_that_would_not_be_safe_are_refused(clips, tmp_path):
    processes.run_ranks(_refuses, tmp_path / 'log', clips, tmp_path / 'run', ranks=1)
