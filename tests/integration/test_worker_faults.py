"""Workers that die or hang in a decoder: the run ends in time, and says what to do."""

import ctypes
import os
import signal
from pathlib import Path

import pytest
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from tests.integration import processes, tiny


@TRANSFORMS.register_module(force=True)
class BadDecoder(BaseTransform):
    """Does at one video what a decoder written in C may do.

    Args:
        kind: ``'dies'``, or ``'hangs'``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def transform(self, results: dict) -> dict:
        if results['sample_idx'] == 5:
            if self.kind == 'dies':
                os.kill(os.getpid(), signal.SIGSEGV)
            ctypes.CDLL(None).sleep(200)
        return results


def _train(clips: Path, work_dir: Path, kind: str, persistent: bool) -> None:
    cfg = tiny.tiny_config(
        clips,
        work_dir,
        train_dataloader__num_workers=2,
        train_dataloader__persistent_workers=persistent,
        train_cfg__worker_timeout=5,
    )
    cfg.train_dataloader.dataset.pipeline.insert(1, dict(type='BadDecoder', kind=kind))
    tiny.train(cfg)


@pytest.mark.parametrize('persistent', [False, True])
@pytest.mark.parametrize(
    'kind, told',
    [('dies', 'worker process was lost'), ('hangs', 'timed out after 5 seconds')],
)
def test_the_run_ends_and_names_the_remedy(clips, tmp_path, kind, told, persistent):
    log = tmp_path / 'log'
    process = processes.start(_train, log, clips, tmp_path / 'run', kind, persistent)
    process.join(90)
    ended = process.exitcode
    process.kill()
    assert ended == 1, f'exit code {ended}'
    error = log.read_text().rpartition('RuntimeError: ')[2]
    assert told in error and 'tools/data/check_videos.py' in error
    assert '1 rank(s) x 2 workers x 2 batches' in error and 'GiB free' in error
    assert 'docker: --shm-size=1g' in error


@pytest.mark.parametrize('workers, own, expected', [(0, 0, 0), (2, 0, 600), (2, 7, 7)])
def test_the_time_limit_is_for_workers_only(clips, tmp_path, workers, own, expected):
    cfg = tiny.tiny_config(
        clips, tmp_path, train_dataloader__num_workers=workers, train_dataloader__timeout=own
    )
    assert tiny.build(cfg).build_train_loop(cfg.train_cfg).dataloader.timeout == expected


def test_a_wrong_time_limit_is_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, train_cfg__worker_timeout=-1)
    with pytest.raises(ValueError, match='worker_timeout is -1'):
        tiny.build(cfg).build_train_loop(cfg.train_cfg)
