"""Two processes that see one work directory, or each its own."""

import os
import platform
import time
from pathlib import Path

import pytest
import torch
from mmengine.dist import init_dist

import pmd_mmaction  # noqa: F401 - gloo where there is no GPU
from pmd_mmaction.hooks.checkpoints import shared_directories
from pmd_mmaction.hooks.checkpoints.shared_directories import WORK, require_shared_directories
from tests.integration import processes, tiny


def _rank() -> int:
    return int(os.environ['RANK'])


def _require(directories: list[Path], patience: float, told: list[str]) -> None:
    """Checks in each rank's own directory; all must be told the same."""
    init_dist('pytorch', backend='gloo')
    error = ''
    try:
        shared_directories._require(directories[_rank()], WORK, patience)
    except ValueError as caught:
        error = str(caught)
    assert bool(error) == bool(told) and all(text in error for text in told), error


def test_one_directory(tmp_path):
    processes.run_ranks(_require, tmp_path / 'log', [tmp_path, tmp_path / '.'], 20, [])
    assert not list(tmp_path.glob('.shared_*'))


@pytest.mark.parametrize('other', ['other', 'not there'])
def test_two_directories(tmp_path, other):
    for name in ('main', 'other'):
        (tmp_path / name).mkdir()
    told = [f'{tmp_path / other} on {platform.node()}', '--work-dir', 'docs/scaling.md']
    directories = [tmp_path / 'main', tmp_path / other]
    processes.run_ranks(_require, tmp_path / 'log', directories, 0.5, told)
    assert not list(tmp_path.glob('*/.shared_*'))


def test_a_main_process_that_cannot_write(tmp_path):
    directories = [tmp_path / 'not there', tmp_path]
    processes.run_ranks(_require, tmp_path / 'log', directories, 20, ['cannot write'])


def test_a_slow_file_system_gets_time(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_directories, 'PAUSE', 0.01)
    looks = []

    class Lazy(type(tmp_path)):
        def exists(self):
            looks.append(time.monotonic())
            return len(looks) > 5

    assert shared_directories._appears(Lazy(tmp_path, 'file'), 20)
    assert len(looks) == 6


def _train(clips: Path, work_dir: Path) -> None:
    require_shared_directories.__defaults__ = (0.5,)
    cfg = tiny.tiny_config(clips, work_dir / f'node {_rank()}', launcher='pytorch')
    with pytest.raises(ValueError, match='not the same for all processes.*node 1 on.*--work-dir'):
        tiny.train(cfg)
    assert not list(work_dir.glob('*/*.pth'))
    _evaluate_elsewhere(clips, work_dir)


def _evaluate_elsewhere(clips: Path, work_dir: Path) -> None:
    """Each rank starts in its own directory, where its evaluator would write."""
    here = work_dir / f'node {_rank()}'
    here.mkdir(exist_ok=True)
    os.chdir(here)
    cfg = tiny.tiny_config(clips, work_dir, launcher='pytorch')
    tiny.validate_frozen(cfg, clips, 1)
    with pytest.raises(ValueError, match="current directory is not the same.*node 1 on.*'gpu'"):
        tiny.train(cfg)
    assert not list(work_dir.glob('*.pth'))
    for metric in cfg.val_evaluator:
        metric['collect_device'] = 'gpu'
    runner = tiny.build(cfg)
    runner.val_loop  # noqa: B018 - builds it
    require_shared_directories(runner)


def test_a_run_is_refused_before_its_first_step(tmp_path):
    clips = tiny.make_clips(tmp_path / 'demo')
    processes.run_ranks(_train, tmp_path / 'log', clips, tmp_path)


class _Stop(Exception):
    """Stops a run before it loads anything."""


def _resume(clips: Path, work_dir: Path) -> None:
    """`--resume`, where the second rank's file system does not show the checkpoint yet."""
    cfg = tiny.tiny_config(clips, work_dir, launcher='pytorch')
    cfg.resume, cfg.load_from = (False, 'initial.pth') if _rank() else (True, None)
    runner = tiny.build(cfg)

    def load() -> None:
        raise _Stop

    runner.load_or_resume = load
    with pytest.raises(_Stop):
        runner.train()
    assert (runner._resume, runner._load_from) == (True, str(work_dir / 'epoch_1.pth'))


def test_the_main_process_decides_what_to_resume(tmp_path):
    clips, work_dir = tiny.make_clips(tmp_path / 'demo'), tmp_path / 'run'
    work_dir.mkdir()
    torch.save({}, work_dir / 'epoch_1.pth')
    processes.run_ranks(_resume, tmp_path / 'log', clips, work_dir)
