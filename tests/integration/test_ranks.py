"""Two gloo ranks do what one rank does on the joined batch, and share one difficulty table."""

import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.dare import DifficultyTable, table_file
from pmd_mmaction.hooks import DAREHook
from pmd_mmaction.hooks.difficulty import dare_hook
from pmd_mmaction.hooks.difficulty.shared_table import TableShare
from pmd_mmaction.hooks.unwrapped_model import plain_model
from pmd_mmaction.models import PMDRecognizer
from pmd_mmaction.models.maskers import View
from tests.integration import processes, tiny

SCRATCH = re.compile(r'(\d+) +(/\S*pmd-difficulty-\S+)')


def _views_of_each_clip(
    model: PMDRecognizer, clips: torch.Tensor, data_samples: list
) -> dict[str, View]:
    """Masks as a function of the clip, so that they do not depend on who draws them."""
    seeds = (zlib.crc32(clip.numpy().tobytes()) for clip in clips)
    orders = [model.masker.order(1, torch.Generator().manual_seed(seed)) for seed in seeds]
    view = model.masker.view(torch.cat(orders), model.phase.mask_ratio)
    return dict(student=view, auxiliary=view)


@HOOKS.register_module(force=True)
class RankNotes(Hook):
    """Writes down what a rank saw: losses, averaged gradients, its mapping of the table."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.notes = dict(losses=[], gradients=[], tables=[], saved=0, videos=[])

    def before_train(self, runner) -> None:
        step = runner.optim_wrapper.step
        model = plain_model(runner)

        def note_and_step(**kwargs):
            self.notes['gradients'].append(
                {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
            )
            step(**kwargs)

        runner.optim_wrapper.step = note_and_step
        save = table_file.save

        def count_and_save(*args, **kwargs):
            self.notes['saved'] += 1
            return save(*args, **kwargs)

        table_file.save = count_and_save
        maps = Path('/proc/self/maps').read_text()
        self.notes['mapped'] = sorted(set(SCRATCH.findall(maps)))
        self.notes['owner'] = tiny.hook_of(runner, DAREHook)._share.owner
        self.notes['start'] = tiny.table_of(runner)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.notes['losses'].append({key: value.item() for key, value in outputs.items()})
        self.notes['videos'].append([s.sample_idx for s in data_batch['data_samples']])

    def after_train_epoch(self, runner) -> None:
        self.notes['tables'].append(tiny.table_of(runner))

    def after_train(self, runner) -> None:
        self.notes['weights'] = plain_model(runner).state_dict()
        torch.save(self.notes, Path(runner.work_dir) / f'rank_{get_rank()}.pth')


def train_ranks(clips: Path, work_dir: Path, ranks: int, **changes) -> None:
    """A training of one or two ranks, whose `RankNotes` lie in its directory."""
    PMDRecognizer.draw_views = _views_of_each_clip
    cfg = tiny.tiny_config(
        clips,
        work_dir,
        dict(type='RankNotes'),
        dict(type='TermBalanceHook', interval=2),
        dict(type='PhasePictureHook'),
        ratios=(0.5, 0.8),
        epochs=2,
        dare=dict(stage_epochs=1),
        model__backbone__drop_path_rate=0.0,
        # Adam would blow up rounding errors of tiny gradients.
        optim_wrapper__optimizer=dict(type='SGD', lr=1e-2, weight_decay=0.05),
        train_dataloader__batch_size=tiny.BATCH // ranks,
        launcher='pytorch' if ranks > 1 else 'none',
        **changes,
    )
    if ranks > 1:
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
        )
    tiny.train(tiny.resumed(cfg) if changes.get('resume') else cfg)


def _notes(work_dir: Path, ranks: int) -> list[dict]:
    return [tiny.read_checkpoint(work_dir / f'rank_{rank}.pth') for rank in range(ranks)]


@pytest.fixture(scope='module')
def two(clips, tmp_path_factory):
    """Directory and notes of two ranks."""
    work_dir = tmp_path_factory.mktemp('ranks') / 'two'
    processes.run_ranks(train_ranks, work_dir.with_suffix('.log'), clips, work_dir, 2)
    return work_dir, _notes(work_dir, 2)


@pytest.fixture(scope='module')
def one(clips, tmp_path_factory):
    """Directory and notes of one rank with batches twice as large."""
    work_dir = tmp_path_factory.mktemp('ranks') / 'one'
    processes.run(train_ranks, work_dir.with_suffix('.log'), clips, work_dir, 1)
    return work_dir, _notes(work_dir, 1)[0]


def test_the_joined_batches_are_equal(one, two):
    first, second = (notes['videos'] for notes in two[1])
    assert len(first) == len(one[1]['videos']) == 12
    for a, b, joined in zip(first, second, one[1]['videos']):
        assert sorted(a + b) == sorted(joined) and len(a) == len(b) == 2


def test_losses_are_the_mean_over_the_ranks(one, two):
    for i, joined in enumerate(one[1]['losses']):
        for key, value in joined.items():
            parts = [notes['losses'][i][key] for notes in two[1]]
            assert np.mean(parts) == pytest.approx(value, rel=2e-4, abs=1e-7), (i, key)


def test_gradients_are_equal(one, two):
    ranks = [notes['gradients'] for notes in two[1]]
    assert tiny.same(*ranks)
    for joined, averaged in zip(one[1]['gradients'], ranks[0]):
        assert joined.keys() == averaged.keys()
        for name in joined:
            torch.testing.assert_close(averaged[name], joined[name], rtol=2e-3, atol=2e-6)


def test_weights_stay_equal(one, two):
    weights = [notes['weights'] for notes in two[1]]
    assert tiny.same(dict(weights[0]), dict(weights[1]))
    for name, value in one[1]['weights'].items():
        torch.testing.assert_close(weights[0][name], value, rtol=1e-4, atol=1e-6)


def test_the_table_is_equal(one, two):
    for epoch, table in enumerate(one[1]['tables']):
        for notes in two[1]:
            np.testing.assert_allclose(notes['tables'][epoch], table, rtol=1e-4, atol=1e-7)
    assert one[1]['tables'][-1].any()


def test_both_ranks_map_one_file_that_is_gone(two):
    first, second = (notes['mapped'] for notes in two[1])
    assert len(first) == 1 and first == second
    assert not Path(first[0][1]).exists()
    assert sorted(notes['owner'] for notes in two[1]) == [False, True]


def test_the_table_is_saved_once_per_checkpoint(two):
    assert [notes['saved'] for notes in two[1]] == [4, 0]


def test_a_run_of_two_ranks_resumes_on_one_with_the_same_table(two, clips, tmp_path):
    work_dir, notes = two
    checkpoint = tiny.read_checkpoint(work_dir / 'epoch_3.pth')
    (tmp_path / 'run').mkdir()
    for name in ('epoch_3.pth', 'phase_1_student.pth', checkpoint['dare']['file']):
        (tmp_path / 'run' / name).write_bytes((work_dir / name).read_bytes())
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / 'epoch_3.pth'))
    log = tmp_path / 'log'
    processes.run(_train_on, log, clips, tmp_path / 'run')
    resumed = _notes(tmp_path / 'run', 1)[0]
    assert resumed['mapped'] == []
    np.testing.assert_array_equal(resumed['start'], notes[0]['tables'][2])
    assert resumed['start'].any()
    np.testing.assert_allclose(resumed['tables'][0], notes[0]['tables'][3], rtol=1e-4)


def _train_on(clips: Path, work_dir: Path) -> None:
    train_ranks(clips, work_dir, 1, resume=True)


def _train_on_two_nodes(clips: Path, work_dir: Path) -> None:
    """Each rank has a table of its own, as on a node of its own."""
    dare_hook.create_shared_table = lambda *sizes_and_scratch: TableShare(
        DifficultyTable.create(None, *sizes_and_scratch[:-1])
    )
    train_ranks(clips, work_dir, 2)


def test_two_nodes_keep_equal_tables(two, clips, tmp_path):
    processes.run_ranks(_train_on_two_nodes, tmp_path / 'log', clips, tmp_path / 'run')
    for notes in _notes(tmp_path / 'run', 2):
        np.testing.assert_array_equal(notes['tables'], two[1][0]['tables'])
