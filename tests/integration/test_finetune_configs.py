"""Every fine-tuning config made small: two real epochs and the test; what can be switched on."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.every import every
from tests.integration import tiny
from tests.integration.finetuning import CONFIGS, settings_but, tiny_finetuning

# Each data set and each size; a small run replaces the size and the schedule anyhow.
TRAINED = [
    f'pmd/vit-{size_and_data}_finetune.py'
    for size_and_data in ('b_k400', 'l_ssv2', 's_ucf101', 'b_hmdb51', 'tiny_demo')
]
OF_THE_SIZE = [
    'model.backbone.embed_dims',
    'model.backbone.depth',
    'model.backbone.num_heads',
    'model.backbone.drop_path_rate',
    'model.cls_head.in_channels',
    'model.cls_head.dropout_ratio',
    'optim_wrapper.optimizer.lr',
    'optim_wrapper.paramwise_cfg.decay_rate',
    'optim_wrapper.paramwise_cfg.num_layers',
    'train_dataloader.batch_size',
    'train_cfg.max_epochs',
    'load_from',
]


@HOOKS.register_module(force=True)
class NoteLosses(Hook):
    """Keeps what every step returned."""

    def __init__(self) -> None:
        self.losses = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.losses.append(outputs['loss'].item())


@pytest.fixture(scope='module')
def student(finished):
    return Path(finished[1].work_dir) / 'phase_3_student.pth'


@pytest.mark.parametrize('name', TRAINED)
def test_two_epochs_and_the_test(name, clips, student, tmp_path):
    cfg = tiny_finetuning(name, clips, tmp_path, student)
    cfg.custom_hooks.append(dict(type='NoteLosses'))
    clip_count = cfg.test_dataloader.dataset.pipeline[1].num_clips
    crops = 3 if any(s.type == 'ThreeCrop' for s in cfg.test_dataloader.dataset.pipeline) else 1
    runner = tiny.train(cfg)
    losses = tiny.hook_of(runner, NoteLosses).losses
    classes = cfg.model.cls_head.num_classes
    assert len(losses) == 6  # 12 videos, 4 a batch, each twice
    assert losses[0] == pytest.approx(math.log(classes), abs=0.05), 'the head starts at zero'
    assert all(map(math.isfinite, losses)) and len(set(losses)) == 6
    trained = tiny.snapshot(runner.model)
    start = tiny.read_checkpoint(student)['state_dict']
    unmoved = [key for key in start if key in trained and torch.equal(start[key], trained[key])]
    assert unmoved == ['backbone.pos_embed']
    assert list(tmp_path.glob('best_acc_top1_epoch_*.pth'))
    sample = runner.build_dataloader(cfg.test_dataloader).dataset[0]['inputs']
    assert tuple(sample.shape) == (clip_count * crops, 3, 4, 32, 32)
    metrics = runner.test()
    assert 0 <= metrics['acc/top1'] <= 1


def _data_of(name: str) -> str:
    return Path(name).stem.split('_')[1]


@every('name', [name for name in CONFIGS if name not in TRAINED])
def test_the_others_are_a_trained_one_of_another_size(name):
    (trained,) = (other for other in TRAINED if _data_of(other) == _data_of(name))
    assert settings_but(OF_THE_SIZE, name) == settings_but(OF_THE_SIZE, trained)


def test_the_start_is_the_student(clips, student, tmp_path):
    cfg = tiny_finetuning(CONFIGS[0], clips, tmp_path, student)
    runner = tiny.build(cfg)
    runner._init_model_weights()
    runner.load_or_resume()
    start, own = tiny.read_checkpoint(student)['state_dict'], runner.model.state_dict()
    for key in own:
        if key.startswith('backbone.') and 'fc_norm' not in key:
            assert torch.equal(own[key], start[key]), key
    assert own['cls_head.fc_cls.weight'].abs().max() < 1e-3


def test_half_a_student_is_refused(clips, student, tmp_path):
    content = tiny.read_checkpoint(student)
    del content['state_dict']['backbone.blocks.1.attn.v_bias']
    torch.save(content, tmp_path / 'half.pth')
    runner = tiny.build(tiny_finetuning(CONFIGS[0], clips, tmp_path, tmp_path / 'half.pth'))
    with pytest.raises(ValueError, match=r'half.pth does not fill the backbone.*v_bias'):
        runner.load_or_resume()


@pytest.mark.parametrize('kind', ['PathListDataset', 'VideoDataset'])
@pytest.mark.parametrize('loader', ['train', 'val'])
def test_labels_that_start_at_1_are_refused_before_the_first_step(clips, tmp_path, kind, loader):
    cfg = tiny_finetuning(CONFIGS[0], clips, tmp_path, None)
    names = [line.split()[0] for line in (clips / 'train.txt').read_text().splitlines()]
    lines = [f'{name} {i + 1}\n' for i, name in enumerate(names)]
    (tmp_path / 'from_1.txt').write_text(''.join(lines))
    cfg.model.cls_head.num_classes = len(names)
    dataset = cfg[f'{loader}_dataloader'].dataset
    dataset.update(ann_file=str(tmp_path / 'from_1.txt'), type=kind)
    for key in ('num_repeats', 'sample_once'):
        dataset.pop(key, None)
    runner = tiny.build(cfg)
    with pytest.raises(ValueError, match=f'from_1.txt, line {len(names)}: .*start at 1'):
        runner.train()
    assert runner.iter == 0


# ---------------------------------------------------------------------- options


def test_activation_checkpointing_is_optional(clips, student, tmp_path):
    """The same run bit by bit, with a second pass through every layer."""
    ends, passes = [], []
    for switch in (False, True):
        cfg = tiny_finetuning('pmd/vit-b_ssv2_finetune.py', clips, tmp_path / str(switch), student)
        cfg.merge_from_dict({'model.backbone.activation_checkpointing': switch})
        runner, calls = tiny.build(cfg), []
        mlp = runner.model.backbone.blocks[1].mlp
        mlp.register_forward_pre_hook(
            lambda module, args, calls=calls: calls.append(1) if module.training else None
        )
        ends.append(tiny.snapshot(tiny.finish(runner).model))
        passes.append(len(calls))
    assert tiny.same(*ends)
    assert passes == [6, 12]


def test_the_average_of_the_weights_is_optional(clips, student, tmp_path):
    cfg = tiny_finetuning(CONFIGS[0], clips, tmp_path, student)
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1))
    tiny.train(cfg)
    saved = tiny.read_checkpoint(tmp_path / 'epoch_2.pth')
    key = 'cls_head.fc_cls.weight'
    assert not torch.equal(saved['state_dict'][key], saved['ema_state_dict'][f'module.{key}'])


def test_evaluation_in_mixed_precision(clips, student, tmp_path):
    """val_cfg.fp16 and test_cfg.fp16 of MMEngine, which take bfloat16 on the CPU."""
    cfg = tiny_finetuning(CONFIGS[0], clips, tmp_path, student)
    cfg.val_cfg.fp16 = cfg.test_cfg.fp16 = True
    runner, seen = tiny.build(cfg), []
    runner.model.backbone.blocks[0].mlp.register_forward_hook(
        lambda module, args, output: seen.append((module.training, output.dtype))
    )
    tiny.finish(runner)
    assert 0 <= runner.test()['acc/top1'] <= 1
    assert set(seen) == {(True, torch.bfloat16), (False, torch.bfloat16)}
