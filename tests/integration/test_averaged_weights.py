"""MMEngine's EMAHook and steps that are not finite."""

import itertools

import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS

from tests.integration import tiny
from tests.integration.poison import poisoned_config

MOMENTUM = 0.25


@HOOKS.register_module(force=True)
class Averages(Hook):
    """Notes the weights and their average before the training and after each iteration."""

    priority = 'LOWEST'

    def before_train(self, runner) -> None:
        self.seen: list[tuple[dict, dict]] = []
        self.note(runner)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.note(runner)

    def note(self, runner) -> None:
        average = tiny.hook_of(runner, EMAHook).ema_model.module
        self.seen.append(
            tuple(
                {key: value.clone() for key, value in model.state_dict().items()}
                for model in (runner.model, average)
            )
        )


@HOOKS.register_module(force=True)
class Beginning(Hook):
    """Notes the weights before the training."""

    def before_train(self, runner) -> None:
        self.weights = {key: value.clone() for key, value in runner.model.state_dict().items()}


def _config(clips, work_dir, **options):
    hooks = dict(type='EMAHook', momentum=MOMENTUM), dict(type='Averages')
    return poisoned_config(clips, work_dir, *hooks, **options)


def test_an_average_counts_the_weights_that_a_skipped_step_left(clips, tmp_path):
    """An iteration is an iteration, as for the schedules; what is averaged stays finite."""
    cfg = _config(clips, tmp_path, poison=dict(epochs=[1]))
    seen = tiny.hook_of(tiny.train(cfg), Averages).seen
    moved = [not tiny.same(before[0], after[0]) for before, after in itertools.pairwise(seen)]
    assert moved == [i not in (3, 4, 5) for i in range(9)]
    assert tiny.same(*seen[1])  # the first average is a copy
    for (_, before), (weights, average) in itertools.pairwise(seen[1:]):
        expected = {key: torch.lerp(before[key], weights[key], MOMENTUM) for key in before}
        assert all(value.isfinite().all() for value in average.values())
        torch.testing.assert_close(average, expected, rtol=1e-5, atol=1e-7)


def test_a_rollback_takes_the_average_back_too(clips, tmp_path):
    options = dict(max_in_a_row=2, on_nonfinite='rollback')
    cfg = _config(clips, tmp_path, poison=dict(epochs=[1]), non_finite=options)
    with pytest.raises(RuntimeError, match='goes back to .*epoch_1.pth'):
        tiny.train(cfg)
    saved = tiny.read_checkpoint(tmp_path / 'epoch_1.pth')  # EMAHook swaps the two
    cfg.train_dataloader.dataset.pipeline.pop()  # the poison
    weights, average = tiny.hook_of(tiny.train(tiny.resumed(cfg)), Averages).seen[0]
    assert tiny.same(dict(saved['state_dict']), average)
    trained = {k.removeprefix('module.'): v for k, v in saved['ema_state_dict'].items()}
    assert all(torch.equal(trained[key], weights[key]) for key in weights)


def test_a_run_that_leaves_the_average_out_goes_on_from_the_trained_weights(clips, tmp_path):
    cfg = _config(clips, tmp_path, epochs=2)
    tiny.train(cfg)
    path = tmp_path / 'epoch_1.pth'
    saved, resumed = tiny.read_checkpoint(path), tiny.resumed(cfg, path)
    resumed.custom_hooks = [h for h in cfg.custom_hooks if h.type not in ('EMAHook', 'Averages')]
    resumed.custom_hooks.append(dict(type='Beginning'))
    begun = tiny.hook_of(tiny.train(resumed), Beginning).weights
    assert all(torch.equal(saved['ema_state_dict'][f'module.{k}'], w) for k, w in begun.items())
    assert not tiny.same(dict(saved['state_dict']), begun)


@pytest.mark.parametrize('resume', [True, False])
def test_trained_weights_beside_an_average_are_looked_at_where_they_are_used(
    clips, tmp_path, resume
):
    cfg = _config(clips, tmp_path, epochs=2)
    tiny.train(cfg)
    path = tmp_path / 'epoch_1.pth'
    checkpoint = tiny.read_checkpoint(path)
    checkpoint['ema_state_dict']['module.backbone.norm.bias'][0] = torch.nan
    torch.save(checkpoint, path)
    cfg.resume, cfg.load_from = resume, str(path)
    if resume:
        with pytest.raises(ValueError, match=r'module.backbone.norm.bias in .* is not finite'):
            tiny.train(cfg)
    else:
        tiny.train(cfg)
