"""Phases, schedules and resumed files that a run refuses before its first step."""

import pytest
import torch

from tests.integration import tiny
from tests.integration.refusals import refused

PER_EPOCH = tiny.CLIPS // tiny.BATCH


@pytest.mark.parametrize(('ratio', 'what'), [(0.05, 'masked'), (1 - 1e-9, 'visible')])
def test_a_ratio_that_leaves_nothing_is_refused_before_training(clips, tmp_path, ratio, what):
    cfg = tiny.tiny_config(clips, tmp_path, ratios=sorted([0.5, ratio]), dare=dict(stage_epochs=1))
    refused(cfg, f'mask_ratio {ratio} leaves no {what} patch.*choose a ratio')
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_schedule_across_a_boundary_is_refused(clips, tmp_path, by_epoch):
    cfg = tiny.tiny_config(clips, tmp_path)
    unit = 1 if by_epoch else PER_EPOCH
    cfg.param_scheduler = [
        dict(type='CosineAnnealingLR', begin=2 * unit, end=5 * unit, T_max=3, by_epoch=by_epoch)
    ]
    refused(cfg, 'CosineAnnealingLR runs across epoch 3.*restart=False')


def test_a_lost_or_changed_phase_file_is_refused(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, dict(type='StopAfter', epoch=3))
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    path = tmp_path / 'phase_1_student.pth'
    content = tiny.read_checkpoint(path)
    content['state_dict']['backbone.norm.bias'] += 1
    torch.save(content, path)
    last = tiny.resumed(cfg, tmp_path / 'epoch_4.pth')
    refused(last, 'not the student that the checkpoint was trained with.*restore')
    path.unlink()
    with pytest.raises(FileNotFoundError, match='auxiliary teacher.*Copy it'):
        tiny.train(last)


def test_the_student_beside_the_checkpoint_is_taken_not_that_of_the_work_dir(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path / 'first', dict(type='StopAfter', epoch=3))
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    student = (tmp_path / 'first' / 'phase_1_student.pth').read_bytes()
    own = tmp_path / 'second' / 'phase_1_student.pth'
    own.parent.mkdir()
    own.write_bytes(b'another run')
    cfg.work_dir = str(own.parent)
    cfg.custom_hooks[-1] = dict(type='StopAfter', epoch=4)
    with pytest.raises(KeyboardInterrupt):
        tiny.train(tiny.resumed(cfg, tmp_path / 'first' / 'epoch_4.pth'))
    assert own.read_bytes() == student


def test_another_number_of_iterations_per_epoch_is_refused_on_resume(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path, dict(type='StopAfter', epoch=1))
    cfg.default_hooks.checkpoint.type = 'CheckpointHook'  # says nothing of batches
    cfg.default_hooks.pop('preemption')
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    cfg.custom_hooks.pop()
    cfg.train_dataloader.batch_size = 2
    refused(tiny.resumed(cfg), 'epoch has 6 iterations now.*same total batch')


@pytest.mark.parametrize(
    'steps, scale, match',
    [
        (3, dict(enable=True), 'optimizer.lr for the total'),
        (3, dict(enable=True, accumulative_counts=2), 'base_batch_size by 3 and confirm it'),
        (1, dict(enable=True, accumulative_counts=3), 'counts accumulative_counts=3, .* has 1'),
    ],
)
def test_accumulation_that_loses_gradients_or_rate_is_refused(clips, tmp_path, steps, scale, match):
    cfg = tiny.tiny_config(clips, tmp_path, optim_wrapper__accumulative_counts=steps)
    cfg.auto_scale_lr = dict(base_batch_size=256, **scale)
    refused(cfg, match)
