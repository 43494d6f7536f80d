"""The numbers of a run's health: beside the losses, without a trace in the training."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.dataset import pseudo_collate

from pmd_mmaction.functional import effective_rank, feature_spread
from pmd_mmaction.hooks.health_hook import RecentFeatures
from tests.integration import tiny

HEALTH = dict(type='HealthHook', interval=2, clips=8)


def test_recent_features_are_the_newest():
    recent, all_rows = RecentFeatures(5), torch.arange(24.0).view(12, 2)
    assert not recent.full
    for start in range(0, 12, 3):
        recent.add(all_rows[start : start + 3])
    assert recent.full and sorted(recent.rows[:, 0].tolist()) == [14, 16, 18, 20, 22]
    recent.add(all_rows)  # more than fit
    assert sorted(recent.rows[:, 0].tolist()) == [14, 16, 18, 20, 22]


def test_what_is_not_finite_stays_out():
    recent = RecentFeatures(3)
    recent.add(torch.ones(3, 2))
    recent.add(torch.tensor([[2.0, 2], [math.nan, 0], [math.inf, 0]]))
    assert recent.rows.tolist() == [[2, 2], [1, 1], [1, 1]]


@pytest.fixture(scope='module')
def runs(clips, tmp_path_factory):
    """The same run without and with the hook."""
    return [
        tiny.train(
            tiny.tiny_config(
                clips,
                tmp_path_factory.mktemp('health'),
                *hooks,
                dict(type='Watch'),
                ratios=(0.5, 0.8),
                epochs=2,
                default_hooks__logger__interval=1,
            )
        )
        for hooks in ([], [HEALTH])
    ]


def test_the_training_does_not_notice(runs):
    plain, watched = runs
    assert tiny.same(plain.model.state_dict(), watched.model.state_dict())
    losses = [
        [
            {k: v for k, v in step['losses'].items() if 'loss' in k}
            for step in tiny.hook_of(runner, tiny.Watch).steps
        ]
        for runner in runs
    ]
    assert losses[0] == losses[1]


def test_a_diagnosis_comes_every_second_iteration(runs):
    steps = [step['losses'] for step in tiny.hook_of(runs[1], tiny.Watch).steps]
    keys = {f'explained_{place}{name}' for place in ('', 'place_') for name in ('img', 'vid')}
    assert [keys <= set(losses) for losses in steps] == [True, False] * 6
    # two diagnoses of four clips fill the eight places
    assert ['feature_rank' in losses for losses in steps] == [False, False] + [True, False] * 5
    for losses in steps[2::2]:
        assert 1 <= losses['feature_rank'] <= 8 and 0 < losses['feature_spread'] <= 1
    hub = runs[1].message_hub
    assert hub.get_scalar('train/explained_img').current() == steps[10]['explained_img']


def test_it_is_what_the_losses_say(runs):
    """The base loss is the squared error, so the variance follows from both."""
    for step in tiny.hook_of(runs[1], tiny.Watch).steps[::2]:
        losses = step['losses']
        for name in ('img', 'vid'):
            variance = losses[f'loss_base_{name}'] / (1 - losses[f'explained_{name}'])
            place = losses[f'loss_base_{name}'] / (1 - losses[f'explained_place_{name}'])
            assert 0.1 < variance <= 1.01  # of layer-normalised targets
            assert 0.01 < place < 1.5 * variance  # four clips that hardly differ by place


def test_rank_and_spread_are_those_of_the_features(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, HEALTH, dict(type='Watch'), ratios=(0.5,))
    runner = tiny.build(cfg)
    seen, pop = [], runner.model.pop_diagnosis

    def note():
        diagnosis = pop()
        if diagnosis is not None:
            seen.append(diagnosis.features)
        return diagnosis

    runner.model.pop_diagnosis = note
    tiny.finish(runner)
    last = tiny.hook_of(runner, tiny.Watch).steps[8]['losses']
    newest = torch.cat(seen[-2:])
    assert newest.shape == (8, 48) and not newest.requires_grad
    assert last['feature_rank'] == pytest.approx(effective_rank(newest).item(), rel=1e-4)
    assert last['feature_spread'] == pytest.approx(feature_spread(newest).item(), rel=1e-4)


def test_any_distance_gives_the_squared_error(clips, tmp_path):
    found = []
    for distance in ('smooth_l1', 'l2'):
        cfg = tiny.tiny_config(
            clips, tmp_path / distance, HEALTH, dict(type='Watch'), ratios=(0.5,), epochs=2
        )
        cfg.model.update(base=dict(distance=distance), psd=None, dare=None, clfa=None)
        found.append(tiny.hook_of(tiny.train(cfg), tiny.Watch).steps[0]['losses'])
    assert found[0]['loss_base_img'] < found[1]['loss_base_img']
    assert found[0]['explained_img'] == pytest.approx(found[1]['explained_img'], rel=1e-5)


def test_held_out_clips_are_diagnosed_after_a_validation(clips, tmp_path):
    """Clips of the validation alone, not of the bank of kNN; the training does not notice."""
    runs = []
    for hooks in ([], [HEALTH]):
        cfg = tiny.tiny_config(clips, tmp_path / str(len(hooks)), *hooks, ratios=(0.5,), epochs=2)
        runs.append(tiny.train(tiny.validate_frozen(cfg, clips, 2)))
    plain, watched = runs
    assert tiny.same(plain.model.state_dict(), watched.model.state_dict())
    held_out = watched.val_dataloader.dataset.datasets[-1]
    batch = pseudo_collate([held_out[i] for i in (0, 2, 4, 7, 9)])  # five of twelve
    model = watched.model
    found = model.examine(**model.data_preprocessor(batch, training=False)).explained
    assert set(found) == {f'explained_{p}{t}' for p in ('', 'place_') for t in ('img', 'vid')}
    for key, value in found.items():
        logged = watched.message_hub.get_scalar(f'val/held_out_{key}').current()
        assert logged == pytest.approx(value.item(), rel=1e-6)
    (log,) = Path(watched.work_dir).glob('*/vis_data/scalars.json')
    assert 'held_out_explained_vid' in log.read_text()


def test_a_loader_with_batches_of_its_own_has_a_size(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, HEALTH, ratios=(0.5,), epochs=2)
    tiny.validate_frozen(cfg, clips, 2)
    batches = dict(type='WholeStepBatchSampler', accumulative_counts=1)
    cfg.val_dataloader.batch_sampler = batches
    runner = tiny.train(cfg)
    assert runner.val_dataloader.batch_sampler.batch_size == 5
    assert any('held_out' in key for key in runner.message_hub.log_scalars)


def test_a_masker_that_needs_boxes_is_not_examined(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, HEALTH, ratios=(0.5,), epochs=2)
    cfg.model.masker = dict(type='ObjectTubeMasker')
    model = tiny.build(cfg).model
    assert model.examine(torch.zeros(1, 1, 3, 4, 32, 32), []) is None


def test_a_validation_without_a_training_has_no_mask_ratio(clips, tmp_path):
    cfg = tiny.validate_frozen(tiny.tiny_config(clips, tmp_path, HEALTH, ratios=(0.5,)), clips, 2)
    runner = tiny.build(cfg)
    assert 'knn/top1' in runner.val()
    assert not any('held_out' in key for key in runner.message_hub.log_scalars)
