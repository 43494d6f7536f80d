"""Acceptance: runs that are killed, steps that are not finite, a table of Kinetics' size."""

import functools
import json
import math
import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import difficulty_table
import torch
from acceptance_host import make_clips, tiny
from acceptance_rows import Row, Settings, at_most, holds
from harness import free_port
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.registry import HOOKS
from steps import Step, build_model
from torch import Tensor, nn

from pmd_mmaction.dare import DifficultyTable, TableLayout
from pmd_mmaction.hooks.nonfinite.finite_guard import FiniteGuard
from pmd_mmaction.runner.shared_memory import SHARED_MEMORY

KILLED_AFTER = 14  # of 27 iterations: in the second phase, inside an epoch


class Losses(nn.Module):
    """A step as the Runner's model: its losses, by ``mode='loss'``."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.model, self.step = step.model, step

    def forward(self, clips: Tensor, mode: str = 'loss') -> dict[str, Tensor]:
        """The losses of clips."""
        views = self.model.draw_views(clips)
        return self.model.distill(clips, views, self.step.history)[0]


def guard(settings: Settings) -> Iterator[Row]:
    """Fused AdamW in bf16 at a loss scale of 2^70, and a clip that is not a number."""
    with ExitStack() as stack:
        if settings.device == 'cpu':  # which AmpOptimWrapper refuses
            scaler = functools.partial(torch.amp.GradScaler, 'cpu')
            stack.enter_context(mock.patch.object(amp_optimizer_wrapper, 'GradScaler', scaler))
            there = mock.patch.object(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
            stack.enter_context(there)
        step = Step(build_model(tiny=True, device=settings.device), 2, fused=True)
        model = Losses(step)
        scale = dict(init_scale=2.0**70)
        wrapper = AmpOptimWrapper(loss_scale=scale, dtype='bfloat16', optimizer=step.optimizer)
        wrapper.initialize_count_status(model, 0, 10)
        watching = FiniteGuard(model, wrapper)

        def update(clips: Tensor) -> bool:
            with torch.autocast(settings.device, torch.bfloat16):
                loss = sum(model(clips, mode='loss').values())
            wrapper.update_params(loss)
            return watching.close_iteration().updated

        made = sum(update(step.clips) for _ in range(5))
        yield holds('5 of 5 steps are made at 2^70', made == 5, f'{made} made')
        before = [p.detach().clone() for p in model.parameters()]
        yield holds('a step of NaN is not made', not update(step.clips * math.nan))
        same = all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
        yield holds('it changes no weight', same)
        yield holds('the step after it is made', update(step.clips))


@HOOKS.register_module(force=True)
class DieAfter(Hook):
    """Kills its process after an iteration, as the kernel does."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Dies when it is time."""
        if runner.iter + 1 == self.iteration:
            tiny.die()


def train(clips: Path, work_dir: Path, device: str, hooks: tuple[dict, ...]) -> None:
    """One rank of a run of three phases that goes on where it stopped."""
    world = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free_port()), WORLD_SIZE='1')
    os.environ.update(world, RANK='0', LOCAL_RANK='0')
    cfg = tiny.tiny_config(clips, work_dir, *hooks)
    cfg.launcher, cfg.env_cfg.dist_cfg.backend = 'pytorch', 'nccl'  # gloo on a CPU
    runner = tiny.build(tiny.resumed(cfg))
    backend, place = torch.distributed.get_backend(), next(runner.model.parameters()).device
    (work_dir / 'backend').write_text(f'{backend} {place.type}')
    tiny.finish(runner)
    torch.distributed.destroy_process_group()


def last_losses(work_dir: Path) -> list[float]:
    """The loss of each iteration of the last epoch, in the newest log."""
    log = max(work_dir.glob('*/vis_data/scalars.json'), key=lambda path: path.stat().st_mtime)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line['loss'] for line in lines if line.get('epoch') == 9 and 'loss' in line]


def curriculum(settings: Settings) -> Iterator[Row]:
    """One rank over NCCL (gloo on a CPU) through three phases, killed and resumed."""
    clips = make_clips(settings.scratch / 'clips')
    # Forked, a process could not use a GPU.
    context = multiprocessing.get_context('spawn' if settings.device == 'cuda' else 'fork')

    def run(name: str, *hooks: dict) -> int:
        arguments = clips, settings.scratch / name, settings.device, hooks
        process = context.Process(target=train, args=arguments)
        process.start()
        process.join()
        return process.exitcode

    whole, again = (settings.scratch / name for name in ('whole', 'again'))
    for folder in (whole, again):
        shutil.rmtree(folder, ignore_errors=True)
    yield holds('a run of three phases ends', run('whole') == 0)
    expected = 'nccl cuda' if settings.device == 'cuda' else 'gloo cpu'
    backend = (whole / 'backend').read_text()
    yield holds('over the backend of the device', backend == expected, backend)
    killed = run('again', dict(type='DieAfter', iteration=KILLED_AFTER))
    yield holds(f'killed in iteration {KILLED_AFTER}', killed == -signal.SIGKILL, str(killed))
    yield holds('resumed, it ends', run('again') == 0 and (again / 'epoch_9.pth').is_file())
    pairs = list(zip(last_losses(whole), last_losses(again), strict=True))
    error = max(abs(b / a - 1) for a, b in pairs)
    yield at_most('difference of the losses of the last epoch', error, 1e-3, f'{len(pairs)} losses')
    states = [tiny.read_checkpoint(path / 'epoch_9.pth')['state_dict'] for path in (whole, again)]
    same = tiny.same(*states)
    if settings.device == 'cpu':
        yield holds('bit for bit', same)
    else:
        yield Row('bit for bit', same, note='a GPU may add gradients in any order')


def table(settings: Settings) -> Iterator[Row]:
    """The difficulty table of 240,000 videos: iterations, stage end, save, load."""
    videos, iterations, batch = (2000, 5, 4) if settings.tiny else (240_000, 300, 64)
    torch.set_num_threads(1)
    nbytes = TableLayout(videos, difficulty_table.TEACHERS, difficulty_table.PATCHES).nbytes
    room = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > 1.2 * nbytes
    place = SHARED_MEMORY if room else settings.scratch
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        size = videos, difficulty_table.TEACHERS, difficulty_table.PATCHES
        made = DifficultyTable.create(Path(scratch, 'table'), *size)
        made.unlink()
        for visit in ('first', 'later'):
            times = difficulty_table.iterate(made, iterations, batch, 1, 1)
            _, *cells, share = difficulty_table.summary(visit, times)
            of = f'{share} % of {difficulty_table.STEP_SECONDS} s'
            note = f'read {cells[0]}, pack {cells[1]}, write {cells[2]}; {of}'
            yield Row(f'{visit} visit, ms', float(cells[3]), note=note)
        if shutil.disk_usage(settings.scratch).free < 3 * nbytes:
            yield holds('room to save the table', False, f'{settings.scratch} has too little')
            return
        with tempfile.TemporaryDirectory(dir=settings.scratch) as saved:
            for name, seconds, speed, memory in difficulty_table.file_stages(made, Path(saved)):
                note = f'{speed} GB/s, {memory} MB more in memory'
                yield Row(f'{name}, s', float(seconds), note=note)
        yield holds('what is loaded is what was saved', True)  # else file_stages raises
