"""How often the host waits for the device in an iteration of a whole run."""

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.integration import tiny
from tests.integration.waits import host_waits

ALLOWED = 3  # the guard's verdict, and the rows of the difficulty table with their videos
# What stands for the optimiser of a GPU: it reads nothing of the host.
FUSED = dict(type='AdamW', lr=1e-3, betas=(0.9, 0.95), weight_decay=0.05, fused=True)


@HOOKS.register_module(force=True)
class CountWaits(Hook):
    """Counts the waits of each iteration, hooks included; the loader is not part of it."""

    def before_run(self, runner) -> None:
        self.waits = []
        loop = runner.train_loop
        run_iter = loop.run_iter

        def counted(*args, **kwargs):
            with host_waits() as waits:
                run_iter(*args, **kwargs)
            self.waits.append(waits)

        loop.run_iter = counted


def _waits(clips, work_dir, **changes):
    """Of each iteration in the middle of a run; a line of the log comes once in an epoch."""
    cfg = tiny.tiny_config(
        clips,
        work_dir,
        dict(type='CountWaits'),
        dict(type='HealthHook', interval=1, clips=6),
        ratios=(0.5, 0.8),
        epochs=2,
        optim_wrapper=dict(type='OptimWrapper', optimizer=FUSED),
        default_hooks__logger=dict(type='LoggerHook', interval=3, ignore_last=True),
        **changes,
    )
    return tiny.hook_of(tiny.train(cfg), CountWaits).waits


@pytest.mark.parametrize('clip', [{}, dict(optim_wrapper__clip_grad=dict(max_norm=3.0))])
def test_an_iteration_of_pmd_waits_three_times_at_most(clips, tmp_path, clip):
    found = _waits(clips, tmp_path, **clip)
    assert len(found) == 12  # four epochs of three iterations
    quiet = [waits for i, waits in enumerate(found) if i % 3 < 2]
    for waits in quiet:
        assert len(waits) <= ALLOWED, '\n'.join(waits)
    assert any('finite_guard' in wait for wait in quiet[0])
    assert any('transfer.py' in wait for wait in quiet[1])
    # A line of the log costs one more, whatever the number of losses.
    for waits in found[2::3]:
        assert len(waits) <= ALLOWED + 1, '\n'.join(waits)


def test_accumulation_of_gradients_waits_no_more(clips, tmp_path):
    changes = dict(optim_wrapper__accumulative_counts=2, train_dataloader__batch_size=3)
    for waits in _waits(clips, tmp_path, **changes):
        assert len(waits) <= ALLOWED + 1, '\n'.join(waits)


@pytest.mark.parametrize(
    'read',
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: float(x[0, 0]),
        lambda x: int(x[0, 0]),
        lambda x: x[x > 0],
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: x.cpu(),
        lambda x: x.nonzero(),
        lambda x: torch.masked_select(x, x > 0),
        lambda x: [1, 2][x[0, 0].long()],
        lambda x: x.unique(),
    ],
)
def test_what_waits_is_counted(read):
    x = torch.ones(2, 3)
    with host_waits() as waits:
        read(x)
    assert len(waits) == 1, waits


def test_what_does_not_wait_is_not_counted():
    x = torch.ones(2, 3)
    with host_waits() as waits:
        x.to('cpu', non_blocking=True).to(torch.float64)
        x[:, torch.tensor([0, 2])] @ x.new_zeros(2, 1)
        torch.stack([x, x]).mean().clamp(max=1)
    assert waits == []
