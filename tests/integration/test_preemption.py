"""A run that is told to stop goes on inside the epoch and ends as if nothing had happened."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.transforms import VideoDecode
from tests.integration import processes, tiny
from tests.integration.test_crash import _ends_as


@HOOKS.register_module(force=True)
class Signal(Hook):
    """Sends a signal to its own process, and to the loader's workers, after an iteration."""

    def __init__(self, iteration: int, name: str, rank: int = 0) -> None:
        self.iteration, self.name, self.rank = iteration, name, rank

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.iter + 1 == self.iteration and get_rank() == self.rank:
            number = signal.Signals[self.name]
            workers = getattr(runner.train_dataloader, '_iterator', None)
            for worker in getattr(workers, '_workers', []):
                # by a stranger, as a cluster would: a worker obeys its parent
                subprocess.run(['kill', '-s', str(int(number)), str(worker.pid)], check=True)
            os.kill(os.getpid(), number)


def _train(clips: Path, work_dir: Path, signals: list[dict], decoded: Path, workers: int) -> None:
    """With the files it decodes noted."""
    transform = VideoDecode.transform

    def noted(self, results):
        with decoded.open('a') as file:
            file.write(results['filename'] + '\n')
        return transform(self, results)

    VideoDecode.transform = noted
    cfg = tiny.tiny_config(
        clips,
        work_dir,
        *signals,
        train_dataloader__num_workers=workers,
        train_dataloader__persistent_workers=workers > 0,
        log_level='WARNING',
    )
    tiny.train(tiny.resumed(cfg))


@pytest.mark.parametrize('workers', [0, 1])
def test_goes_on_inside_the_epoch(finished, clips, tmp_path, workers):
    """In a phase's first epoch, inside a stage, and at the end of an epoch."""
    log, run, decoded = tmp_path / 'log', tmp_path / 'run', tmp_path / 'decoded'
    stops = [
        dict(type='Signal', iteration=10, name='SIGTERM'),
        dict(type='Signal', iteration=14, name='SIGUSR1'),
        dict(type='Signal', iteration=15, name='SIGTERM'),
    ]
    for stop in stops:
        processes.run(_train, log, clips, run, [stop], decoded, workers)
        done = stop['iteration']
        assert (
            sorted(run.glob('epoch_*_iter_*.pth'))[-1].name
            == f'epoch_{(done - 1) // 3}_iter_{done}.pth'
        )
        text = ''.join(p.read_text() for p in run.glob('*/*.log'))
        assert f'{stop["name"]}: stopped after iteration {done}' in text
        assert 'resume with: python' in text
    processes.run(_train, log, clips, run, [], decoded, workers)
    _ends_as(Path(finished[1].work_dir), run)
    if workers == 0:  # which has nothing decoded ahead
        assert len(decoded.read_text().splitlines()) == 9 * tiny.CLIPS


def _train_on_ranks(clips: Path, work_dir: Path, ranks: int, batch: int, *hooks: dict) -> None:
    cfg = tiny.tiny_config(
        clips,
        work_dir,
        *hooks,
        default_hooks__preemption__agree_every=2,
        train_dataloader__batch_size=batch,
        launcher='pytorch' if ranks > 1 else 'none',
        log_level='WARNING',
    )
    tiny.train(tiny.resumed(cfg))


def test_ranks_agree_on_the_iteration(clips, tmp_path):
    stop = dict(type='Signal', iteration=7, name='SIGUSR1', rank=1)
    args = clips, tmp_path / 'run', 2, 2, stop
    processes.run_ranks(_train_on_ranks, tmp_path / 'log', *args)
    assert (tmp_path / 'run' / 'last_checkpoint').read_text() == 'epoch_2_iter_8.pth'


def test_another_total_batch_inside_an_epoch_is_refused(clips, tmp_path):
    args = clips, tmp_path / 'run', 1, tiny.BATCH
    stop = dict(type='Signal', iteration=10, name='SIGTERM')
    processes.run(_train_on_ranks, tmp_path / 'log', *args, stop)
    message = r'inside epoch 4 .* of 4 .*, now it is 2 .*with the old ranks, total batch'
    with pytest.raises(ValueError, match=message):
        _train_on_ranks(clips, tmp_path / 'run', 1, 2)
    _train_on_ranks(*args)  # which stays possible
    assert (tmp_path / 'run' / 'epoch_9.pth').exists()
