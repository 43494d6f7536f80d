"""Acceptance: what makes the host wait for the GPU, and how fast clips arrive there."""

import itertools
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import torch
from acceptance_rows import Row, Settings, at_most, holds
from data_pipeline import write_video
from harness import wait_for_device
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, init_default_scope
from mmengine.runner import Runner
from steps import CONFIG, Step, build_model

from pmd_mmaction.cpu_cores import count_cores
from pmd_mmaction.runner.shared_memory import SHARED_MEMORY

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # the small trainings of the tests
from tests.integration import tiny  # noqa: E402
from tests.integration.waits import host_waits  # noqa: E402

ALLOWED = 3  # in an iteration without a line of the log: as tests/integration/test_host_waits.py


@contextmanager
def waits_on(device: str) -> Iterator[list[str]]:
    """What waits for the device inside: as torch warns on a GPU, by counting calls on a CPU."""
    if device == 'cpu':
        with host_waits() as waits:
            yield waits
        return
    waits = []
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            yield waits
        finally:
            torch.cuda.set_sync_debug_mode(mode)
            waits += [str(w.message) for w in caught if 'synchroniz' in str(w.message)]


@contextmanager
def waiting_is_an_error(device: str) -> Iterator[None]:
    """Raises where the host waits: torch does on a GPU, a count on a CPU.

    Raises:
        RuntimeError: with the operation, or the lines that waited.
    """
    if device == 'cpu':
        with host_waits() as waits:
            yield
        if waits:
            raise RuntimeError('; '.join(waits))
        return
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')


@HOOKS.register_module(force=True)
class NoteWaits(Hook):
    """Notes what each iteration of a run waits for, hooks included."""

    def before_run(self, runner) -> None:
        """Wraps the loop's iteration."""
        self.waits: list[list[str]] = []
        run_iter = runner.train_loop.run_iter
        device = next(runner.model.parameters()).device.type

        def noted(*args, **kwargs) -> None:
            with waits_on(device) as waits:
                run_iter(*args, **kwargs)
            self.waits.append(waits)

        runner.train_loop.run_iter = noted


def make_clips(out: Path) -> Path:
    """Short videos with a list, of the pictures of scikit-image alone."""
    out.mkdir(parents=True, exist_ok=True)
    names = [f'{i}.mp4' for i in range(tiny.CLIPS)]
    write_video(out / names[0], 24, 8)
    for name in names[1:]:
        shutil.copy(out / names[0], out / name)
    (out / 'train.txt').write_text('\n'.join(names) + '\n')
    return out


def host_wait(settings: Settings) -> Iterator[Row]:
    """``distill`` and backward wait for nothing, an iteration of the Runner three times at most."""
    step = Step(build_model(tiny=settings.tiny, device=settings.device), 2, autocast=True)
    step(), step()  # what is set up once may wait
    wait_for_device()
    with waiting_is_an_error(settings.device), torch.autocast(settings.device, torch.bfloat16):
        losses, _, _ = step.distill(step.clips, step.model.draw_views(step.clips), step.history)
        loss = sum(losses.values())
    yield holds('masks and distill wait for nothing', True)
    with waiting_is_an_error(settings.device):
        loss.backward()
    yield holds('backward waits for nothing', True)
    cfg = tiny.tiny_config(
        make_clips(settings.scratch / 'clips'),
        settings.scratch / 'waits',
        dict(type='NoteWaits'),
        ratios=(0.5, 0.8),
        epochs=2,
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, fused=True)),
        default_hooks__logger=dict(type='LoggerHook', interval=3, ignore_last=True),
    )
    found = tiny.hook_of(tiny.train(cfg), NoteWaits).waits
    # Three iterations an epoch, the last with a line of the log; the first sets up what is lazy.
    quiet = [waits for i, waits in enumerate(found) if i % 3 < 2][1:]
    worst = max(quiet, key=len)
    yield at_most('waits of an iteration', len(worst), ALLOWED, '; '.join(worst)[:300])
    logged = max(len(waits) for waits in found[2::3])
    # The losses in one; on a GPU MMEngine sends and reads its peak memory besides.
    more = 1 if settings.device == 'cpu' else 3
    yield at_most('waits of an iteration with a line of the log', logged, ALLOWED + more)


def loader(settings: Settings) -> Iterator[Row]:
    """Clips per second through workers, pinned memory and the transfer."""
    init_default_scope('mmaction')
    cv2.setNumThreads(1)
    torch.set_num_threads(1)  # also in the workers, which are forked from here
    batch = 2 if settings.tiny else 8
    folder = settings.scratch / 'videos'
    folder.mkdir(exist_ok=True)
    write_video(folder / 'video.mp4', 70 if settings.tiny else 300, 12)
    nbytes = batch * 3 * 16 * 224**2
    room = shutil.disk_usage(SHARED_MEMORY).free // (4 * nbytes) if SHARED_MEMORY.is_dir() else 64
    workers = 1 if settings.tiny else max(1, min(count_cores() - 1, room))
    batches = workers * (2 if settings.tiny else 6)
    copies = 2 * batches * batch
    for i in range(copies):
        link = folder / f'{i}.mp4'
        link.unlink(missing_ok=True)
        os.link(folder / 'video.mp4', link)
    (folder / 'list.txt').write_text(''.join(f'{i}.mp4\n' for i in range(copies)))
    cfg = Config.fromfile(CONFIG)
    data = cfg.train_dataloader
    data.update(batch_size=batch, num_workers=workers)
    data.dataset.update(ann_file=str(folder / 'list.txt'), data_prefix=dict(video=str(folder)))
    iterator = iter(Runner.build_dataloader(data, seed=0))
    preprocessor = MODELS.build(cfg.model.data_preprocessor).to(settings.device)
    for data in itertools.islice(iterator, workers):  # the first of each worker
        preprocessor(data, training=True)
    if settings.device == 'cuda':
        yield holds('batches are pinned', data['inputs'].is_pinned())
    wait_for_device()
    start = time.perf_counter()
    for data in itertools.islice(iterator, batches):
        preprocessor(data, training=True)
    wait_for_device()
    rate = batches * batch / (time.perf_counter() - start)
    yield Row('clips/s', rate, note=f'{workers} workers, key frames every 12, a clip per decoding')
    yield Row('clips/s per worker', rate / workers)
    yield Row('workers for 350 clips/s', 350 * workers / rate, note='computed')
    start = time.perf_counter()
    preprocessor(data, training=True)
    called = time.perf_counter()
    wait_for_device()
    note = f'{1e3 * (called - start):.2f} ms of them on the host, {nbytes / 1e6:.0f} MB'
    yield Row('sending and normalising a batch, ms', 1e3 * (time.perf_counter() - start), note=note)
    del iterator
