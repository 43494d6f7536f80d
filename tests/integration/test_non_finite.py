"""A training that goes back to its last checkpoint, and two ranks that skip together."""

import importlib.util
import itertools
import json
import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.hooks.nonfinite.step_record import StepRecord
from pmd_mmaction.hooks.unwrapped_model import plain_model
from tests.integration import processes, tiny
from tests.integration.poison import poisoned_config


def _tool():
    spec = importlib.util.spec_from_file_location('tool_train', tiny.ROOT / 'tools' / 'train.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run_tool(cfg: Config, tmp_path: Path, *options: str) -> None:
    """What `python tools/train.py CONFIG` does."""
    path = tmp_path / 'config.py'
    cfg.dump(path)
    with tiny._quick():
        _tool().main([str(path), *options])


def _videos(work_dir: Path) -> list[list[int]]:
    return json.loads((work_dir / 'videos.json').read_text())


@HOOKS.register_module(force=True)
class Videos(Hook):
    """Appends the videos of each iteration to a file, with the iteration."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        path = Path(runner.work_dir) / 'videos.json'
        known = json.loads(path.read_text()) if path.is_file() else []
        videos = [sample.sample_idx for sample in data_batch['data_samples']]
        path.write_text(json.dumps([*known, [runner.iter, *videos]]))


def _rollback_config(clips, tmp_path, always=False, **non_finite):
    non_finite = dict(max_in_a_row=2, on_nonfinite='rollback') | non_finite
    poison = dict(type='PoisonOrder', epoch=4, always=always)
    return poisoned_config(
        clips,
        tmp_path / 'run',
        poison,
        dict(type='Videos'),
        ratios=(0.5, 0.7),
        dare=dict(stage_epochs=2),
        non_finite=non_finite,
    )


# --- rollback ---


def test_a_rollback_takes_another_order_and_finishes(clips, tmp_path):
    cfg = _rollback_config(clips, tmp_path)
    _run_tool(cfg, tmp_path)
    run = tmp_path / 'run'
    saved = tiny.read_checkpoint(run / 'epoch_6.pth')
    assert saved['meta']['iter'] == 18
    assert all(x.isfinite().all() for x in saved['state_dict'].values())
    (entry,) = json.loads((run / 'nonfinite' / 'rollbacks.json').read_text())
    assert entry == dict(checkpoint='epoch_4.pth', epoch=4, iter=13)
    rows = _videos(run)
    # 12 good iterations, 2 bad ones; then epoch 5 again, in another order, and epoch 6
    assert [row[0] for row in rows] == [*range(14), *range(12, 18)]
    assert rows[12][1:] != rows[14][1:]
    for epoch in (rows[14:17], rows[17:20]):
        assert sorted(video for row in epoch for video in row[1:]) == list(range(tiny.CLIPS))

    # killed afterwards and resumed, the run ends the same
    expected = (run / 'phase_2_student.pth').read_bytes()
    (run / 'last_checkpoint').write_text(str(run / 'epoch_5.pth'))
    _run_tool(cfg, tmp_path, '--resume')
    assert _videos(run)[20:] == rows[17:]
    assert (run / 'phase_2_student.pth').read_bytes() == expected


def test_a_run_that_is_started_again_takes_the_other_order(clips, tmp_path):
    """As after a rollback under another launcher, which only sees an error."""
    cfg = _rollback_config(clips, tmp_path)
    with pytest.raises(RuntimeError, match='goes back to .*epoch_4.pth'):
        tiny.train(cfg)
    runner = tiny.train(tiny.resumed(cfg))
    assert runner.epoch == 6
    rows = _videos(tmp_path / 'run')
    assert rows[12][1:] != rows[14][1:]


def test_rollbacks_to_one_checkpoint_are_limited(clips, tmp_path):
    cfg = _rollback_config(clips, tmp_path, always=True, max_rollbacks=2)
    with pytest.raises(FloatingPointError, match=r'after 2 rollback\(s\) to epoch_4.pth'):
        _run_tool(cfg, tmp_path)
    rows = _videos(tmp_path / 'run')
    assert len({str(row) for row in rows[12::2]}) == 3  # three orders were tried


def test_without_a_checkpoint_the_run_stops(clips, tmp_path):
    cfg = poisoned_config(
        clips,
        tmp_path,
        poison=dict(epochs=[0]),
        non_finite=dict(max_in_a_row=2, on_nonfinite='rollback'),
    )
    with pytest.raises(FloatingPointError, match='there is no checkpoint to go back to'):
        tiny.train(cfg)


# --- two ranks ---


@HOOKS.register_module(force=True)
class RankStates(Hook):
    """Saves weights and table of this rank after each iteration."""

    priority = 'LOWEST'

    def before_train(self, runner) -> None:
        self.states = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        model = plain_model(runner)
        videos = [sample.sample_idx for sample in data_batch['data_samples']]
        self.states.append(
            dict(
                weights={k: v.clone() for k, v in model.state_dict().items()},
                table=torch.from_numpy(tiny.table_of(runner)),
                videos=videos,
            )
        )

    def after_train(self, runner) -> None:
        torch.save(self.states, Path(runner.work_dir) / f'rank_{get_rank()}.pth')


def _train_two(clips: Path, work_dir: Path, steps: int) -> None:
    cfg = poisoned_config(
        clips,
        work_dir,
        dict(type='RankStates'),
        poison=dict(epochs=[1], samples=[5]),
        epochs=2,
        train_dataloader__batch_size=2,
        optim_wrapper__accumulative_counts=steps,
        launcher='pytorch',
        model_wrapper_cfg=dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
        ),
    )
    tiny.train(cfg)


@pytest.mark.parametrize('steps', [1, 3])
def test_two_ranks_skip_together(clips, tmp_path, steps):
    run = tmp_path / 'run'
    processes.run_ranks(_train_two, tmp_path / 'log', clips, run, steps)
    ranks = [torch.load(run / f'rank_{rank}.pth') for rank in range(2)]
    for a, b in zip(*ranks):
        assert tiny.same(a['weights'], b['weights']) and tiny.same(a['table'], b['table'])
    bad = next(i for i in (3, 4, 5) if any(5 in rank[i]['videos'] for rank in ranks))
    assert sum(5 in rank[bad]['videos'] for rank in ranks) == 1  # on one rank only
    states = ranks[0]
    changed = {
        key: [not tiny.same(a[key], b[key]) for a, b in itertools.pairwise(states)]
        for key in ('weights', 'table')
    }
    if steps == 1:
        assert changed['weights'] == [i != bad for i in range(1, 6)]
    else:
        assert changed['weights'] == [i == 2 for i in range(1, 6)]
    assert changed['table'] == [i != bad for i in range(1, 6)]
    found = [StepRecord.read(path) for path in sorted((run / 'nonfinite').glob('*.json'))]
    assert [record.rank for record in found] == [0, 1]
    losses = [[batch['losses']['loss'] for batch in record.batches] for record in found]
    assert sum(loss == 'nan' for rank in losses for loss in rank) == 1


def _roll_back_two(clips: Path, tmp_path: Path) -> None:
    cfg = _rollback_config(clips, tmp_path)
    cfg.merge_from_dict(
        dict(
            train_dataloader=dict(batch_size=2),
            model_wrapper_cfg=dict(
                type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
            ),
        )
    )
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type != 'Videos']
    cfg.custom_hooks.append(dict(type='RankStates'))
    _run_tool(cfg, tmp_path / f'rank{os.environ["RANK"]}', '--launcher', 'pytorch')


def test_two_ranks_roll_back_together(clips, tmp_path):
    for rank in range(2):
        (tmp_path / f'rank{rank}').mkdir()
    processes.run_ranks(_roll_back_two, tmp_path / 'log', clips, tmp_path)
    ranks = [torch.load(tmp_path / 'run' / f'rank_{rank}.pth') for rank in range(2)]
    assert len(ranks[0]) == len(ranks[1]) == 6
    for a, b in zip(*ranks):
        assert tiny.same(a['weights'], b['weights']) and tiny.same(a['table'], b['table'])
    assert len(json.loads((tmp_path / 'run' / 'nonfinite' / 'rollbacks.json').read_text())) == 1
