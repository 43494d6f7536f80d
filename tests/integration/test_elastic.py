"""A run goes on with other ranks, and ends when a rank is gone."""

import math
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.integration import processes, tiny

LENGTHS = {1: 6, 3: 2}  # iterations per epoch of 12 clips, 2 per rank


@HOOKS.register_module(force=True)
class AtStart(Hook):
    """Saves the table and the learning rate a run starts with."""

    priority = 'LOWEST'

    def before_train_epoch(self, runner) -> None:
        path = Path(runner.work_dir) / f'start_{get_rank()}.npz'
        if not path.exists():
            rate = runner.optim_wrapper.param_groups[0]['lr']
            np.savez(path, table=tiny.table_of(runner), lr=rate, iter=runner.iter)


@HOOKS.register_module(force=True)
class LoseRank(Hook):
    """A rank is killed, or hangs, in an iteration."""

    def __init__(self, number: int) -> None:
        self.number = number

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == 4 and get_rank() == 1:
            os.kill(os.getpid(), self.number)


def _train(clips: Path, work_dir: Path, ranks: int, stop: int, scale: bool, *hooks: dict) -> None:
    cfg = tiny.tiny_config(
        clips,
        work_dir,
        *hooks,
        train_dataloader__batch_size=2,
        launcher='pytorch' if ranks > 1 else 'none',
        auto_scale_lr=dict(enable=scale, base_batch_size=4),
        env_cfg__dist_cfg=dict(backend='gloo', timeout=8 if stop < 0 else 60),
        log_level='WARNING',
    )
    if stop >= 0:
        cfg.custom_hooks.append(dict(type='StopAfter', epoch=stop))
    try:
        tiny.train(tiny.resumed(cfg))
    except KeyboardInterrupt:
        pass


@pytest.fixture(scope='module')
def two(clips, tmp_path_factory):
    """Five epochs on two ranks."""
    work_dir = tmp_path_factory.mktemp('elastic') / 'two'
    processes.run_ranks(_train, work_dir.with_suffix('.log'), clips, work_dir, 2, 4, False)
    return work_dir


@pytest.mark.parametrize('ranks, scale', [(1, False), (3, True)])
def test_other_ranks(two, clips, tmp_path, ranks, scale):
    run = tmp_path / 'run'
    run.mkdir()
    for path in two.iterdir():
        if path.is_file():
            (run / path.name).write_bytes(path.read_bytes())
    args = clips, run, ranks, 8, scale, dict(type='AtStart')
    if ranks == 1:
        processes.run(_train, tmp_path / 'log', *args)
    else:
        processes.run_ranks(_train, tmp_path / 'log', *args, ranks=ranks)
    saved = tiny.read_checkpoint(two / 'epoch_5.pth')
    for rank in range(ranks):
        start = np.load(run / f'start_{rank}.npz')
        np.testing.assert_array_equal(start['table'], tiny.read_table(two / saved['dare']['file']))
        assert start['iter'] == 5 * LENGTHS[ranks]
        ratio = ranks / 2 if scale else 1
        before = saved['optimizer']['param_groups'][0]['lr']
        assert start['lr'] == pytest.approx(ratio * before)
    text = ''.join(path.read_text() for path in run.glob('*/*.log'))
    assert f'Total batch 4 before, {2 * ranks} now (2 rank(s) before, {ranks} now)' in text
    assert f'implies a peak learning rate of {0.0005 * ranks:.4g} instead of 0.001' in text
    end = tiny.read_checkpoint(run / 'epoch_9.pth')
    assert end['meta']['iter'] == 9 * LENGTHS[ranks]
    # the last cosine ends as in a run that always had these batches: at its last but one step
    steps = (tiny.EPOCHS - 1) * LENGTHS[ranks]
    cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * (steps - 1) / steps)) / 2
    rate = end['optimizer']['param_groups'][0]['lr']
    assert rate == pytest.approx(1e-3 * ratio * cosine, rel=1e-6)


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSTOP], ids=['killed', 'hanging'])
def test_the_others_end_when_a_rank_is_gone(clips, tmp_path, number):
    begin = time.monotonic()
    with pytest.raises(AssertionError, match=r'exit code 1\n(?s:.)*(?i:closed|reset|timed out)'):
        args = clips, tmp_path / 'run', 2, -1, False, dict(type='LoseRank', number=int(number))
        processes.run_ranks(_train, tmp_path / 'log', *args)
    assert time.monotonic() - begin < 60
