"""DARE through the hooks, against a loop over dictionaries in float64.

The recording hook notes the raw losses and the masks of each iteration. From these alone the oracle
computes what the table must hold and which region loss the weights must have given.
"""

import math
from collections import defaultdict

import numpy as np
import pytest
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS, HOOKS

from tests.integration import tiny

TEACHERS = ('img', 'vid')


@HOOKS.register_module(force=True)
class Record(Hook):
    """Notes raw losses, masks and videos of each iteration, and the table after each epoch."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.batches: list[dict] = []
        self.tables: dict[int, np.ndarray] = {}
        self._raw: list[np.ndarray] = []

    def before_train(self, runner) -> None:
        model = runner.model
        smoothed, distill = model.dare.smoothed, model.distill

        def note_smoothed(step):
            self._raw = [
                x.detach().double().numpy() for x in model.dare.patch_losses(step).values()
            ]
            return smoothed(step)

        def note_distill(clips, views, history):
            self._view, self._uniform = views['student'], history.stage is None
            return distill(clips, views, history)

        model.dare.smoothed, model.distill = note_smoothed, note_distill

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.batches.append(
            dict(
                epoch=runner.epoch,
                videos=[sample.sample_idx for sample in data_batch['data_samples']],
                masked=self._view.masked.numpy(),
                raw=dict(zip(TEACHERS, self._raw, strict=True)),
                uniform=self._uniform,
                loss={name: outputs[f'loss_df_{name}'].item() for name in TEACHERS},
            )
        )

    def after_train_epoch(self, runner) -> None:
        self.tables[runner.epoch] = tiny.table_of(runner)


@DATA_SAMPLERS.register_module(force=True)
class TwiceSampler(DefaultSampler):
    """Shows the first video of every batch of 4 a second time instead of the last one."""

    def __iter__(self):
        order = list(super().__iter__())
        order[3::4] = order[0::4]
        return iter(order)


class Oracle:
    """The equations of DARE by the letter, one patch at a time."""

    def __init__(self, stage_epochs, epochs, phases=3, alpha=0.95, tau=0.5, reset=True):
        self.alpha, self.tau = alpha, tau
        self.stage_epochs, self.epochs, self.reset = stage_epochs, epochs, reset
        self.total = phases * epochs
        self.current, self.stage = defaultdict(float), defaultdict(float)  # (video, k, patch)

    def uniform(self, epoch):
        if epoch % self.epochs >= self.stage_epochs:
            return False
        return self.reset or epoch < self.epochs

    def iteration(self, batch):
        """Expected region loss of each teacher; stores the smoothed losses."""
        losses, new = {}, defaultdict(list)
        for k, name in enumerate(TEACHERS):
            clips = []
            for b, video in enumerate(batch['videos']):
                patches = batch['masked'][b].tolist()
                scale = math.fsum(math.exp(self.stage[video, k, p] / self.tau) for p in patches)
                terms = []
                for m, p in enumerate(patches):
                    loss = batch['raw'][name][b, m]
                    smoothed = self.alpha * loss + (1 - self.alpha) * self.current[video, k, p]
                    weight = math.exp(self.stage[video, k, p] / self.tau) / scale
                    if self.uniform(batch['epoch']):
                        weight = 1 / len(patches)
                    terms.append(weight * smoothed)
                    new[video, k, p].append(smoothed)
                clips.append(math.fsum(terms))
            losses[name] = math.fsum(clips) / len(clips)
        for cell, values in new.items():  # copies of a video in one batch
            self.current[cell] = math.fsum(values) / len(values)
        return losses

    def end_of_epoch(self, epoch):
        following = epoch + 1
        if following == self.total:
            return
        if following % self.epochs == 0 and self.reset:
            self.current.clear()
            self.stage.clear()
        elif following % self.epochs == 0 or following % self.epochs % self.stage_epochs == 0:
            self.stage = self.current.copy()

    def table(self):
        values = np.zeros((2, tiny.CLIPS, len(TEACHERS), tiny.PATCHES))
        for array, cells in zip(values, (self.current, self.stage)):
            for cell, value in cells.items():
                array[cell] = value
        return values


def _agrees(run: Record, oracle: Oracle) -> None:
    for epoch, table in run.tables.items():
        for batch in (b for b in run.batches if b['epoch'] == epoch):
            assert batch['uniform'] == oracle.uniform(epoch)
            expected = oracle.iteration(batch)
            assert batch['loss'] == pytest.approx(expected, rel=1e-5), epoch
        oracle.end_of_epoch(epoch)
        np.testing.assert_allclose(table, oracle.table(), rtol=1e-6, atol=0, err_msg=f'{epoch}')


def _run(clips, tmp_path, stage_epochs, **changes) -> Record:
    dare = dict(stage_epochs=stage_epochs) | changes.pop('dare', {})
    cfg = tiny.tiny_config(clips, tmp_path, dict(type='Record'), dare=dare, **changes)
    return tiny.hook_of(tiny.train(cfg), Record)


@pytest.fixture(scope='module')
def run(clips, tmp_path_factory):
    """Stages of two epochs in phases of five.

    So the last stage is short, and the one before it is long enough for the newest values to
    differ from those at the end of the previous stage.
    """
    return _run(clips, tmp_path_factory.mktemp('stages'), 2, ratios=(0.5, 0.8), epochs=5)


def test_table_and_region_loss_are_those_of_the_oracle(run):
    _agrees(run, Oracle(stage_epochs=2, epochs=5, phases=2))


def test_weights_are_uniform_in_the_first_stage_of_each_phase_only(run):
    assert [b['uniform'] for b in run.batches[::3]] == [True, True, False, False, False] * 2
    for batch in run.batches:
        if batch['uniform'] and batch['epoch'] % 5 == 0 and len(set(batch['videos'])) == 4:
            mean = 0.95 * batch['raw']['vid'].mean()
            assert batch['loss']['vid'] == pytest.approx(mean, rel=1e-5)


def test_a_new_phase_starts_from_zero(run):
    assert not run.tables[4].any()
    assert run.tables[9].any(), 'the last table is kept'


def test_a_patch_never_masked_has_difficulty_zero(run):
    never = run.tables[1][1] == 0
    assert 0 < never.mean() < 1
    masked = {
        (video, int(p))
        for b in run.batches[:6]
        for video, row in zip(b['videos'], b['masked'])
        for p in row
    }
    for video, _, patch in np.argwhere(never):
        assert (video, patch) not in masked


@pytest.mark.parametrize('wrong', [dict(alpha=0.9), dict(tau=0.6), dict(stage_epochs=3)])
def test_an_oracle_of_other_settings_disagrees(run, wrong):
    """The comparison above can fail."""
    with pytest.raises(AssertionError):
        _agrees(run, Oracle(**dict(stage_epochs=2, epochs=5, phases=2) | wrong))


def test_stages_of_one_epoch(clips, tmp_path):
    run = _run(clips, tmp_path, 1)
    _agrees(run, Oracle(stage_epochs=1, epochs=3))
    assert [b['uniform'] for b in run.batches[::3]] == [True, False, False] * 3


def test_a_stage_longer_than_a_phase_is_uniform_throughout(clips, tmp_path):
    # Without weighting: DAREHook refuses a stage that would never let the weights work.
    run = _run(clips, tmp_path, 32, ratios=(0.5, 0.8), epochs=2, model__dare=dict(weighting=False))
    assert all(b['uniform'] for b in run.batches)


@pytest.mark.parametrize('stage_epochs', [1, 2])
def test_a_table_kept_across_phases(clips, tmp_path, stage_epochs):
    run = _run(clips, tmp_path, stage_epochs, dare=dict(reset_per_phase=False))
    _agrees(run, Oracle(stage_epochs=stage_epochs, epochs=3, reset=False))
    assert [b['uniform'] for b in run.batches[::3]].count(True) == stage_epochs
    np.testing.assert_array_equal(run.tables[2][0], run.tables[2][1])
    assert run.tables[2].any()


def test_a_video_twice_in_a_batch(clips, tmp_path):
    run = _run(clips, tmp_path, 1, train_dataloader__sampler__type='TwiceSampler')
    assert all(len(set(b['videos'])) == 3 for b in run.batches)
    # Its two clips have masks of their own.
    assert any((b['masked'][0] != b['masked'][3]).any() for b in run.batches)
    _agrees(run, Oracle(stage_epochs=1, epochs=3))


def test_two_clips_of_a_video(clips, tmp_path):
    run = _run(
        clips,
        tmp_path,
        1,
        epochs=2,
        train_dataloader__dataset__pipeline__3__num_clips=2,
    )
    for batch in run.batches:
        assert batch['masked'].shape[0] == 2 * tiny.BATCH
        batch['videos'] = [video for video in batch['videos'] for _ in range(2)]
    _agrees(run, Oracle(stage_epochs=1, epochs=2))
