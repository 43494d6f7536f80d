"""The recipe in every fine-tuning config: numbers, augmentation, learning rates."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, init_default_scope
from mmengine.runner import set_random_seed

from tests.every import every
from tests.integration import tiny
from tests.integration.finetuning import CONFIGS, DEPTH, tiny_finetuning

LARGE = [name for name in CONFIGS if 'demo' not in name]
# Data set: classes, epochs of S, B, L, clips of the test.
DATA = {
    'k400': (400, dict(s=75, b=75, l=50), 5),
    'ssv2': (174, dict(s=40, b=30, l=30), 2),
    'ucf101': (101, dict(s=100, b=100, l=100), 5),
    'hmdb51': (51, dict(s=50, b=50, l=50), 5),
}
# Learning rate, layer decay, drop path, dropout of the head: MVD's scripts for the first two data
# sets, VideoMAE's ViT-B on the others.
RECIPE = {
    ('s', 'k400'): (5e-4, 0.75, 0.1, 0.0),
    ('b', 'k400'): (5e-4, 0.75, 0.1, 0.0),
    ('l', 'k400'): (1e-3, 0.75, 0.3, 0.5),
    ('s', 'ssv2'): (1e-3, 0.7, 0.1, 0.0),
    ('b', 'ssv2'): (5e-4, 0.75, 0.1, 0.0),
    ('l', 'ssv2'): (5e-4, 0.75, 0.3, 0.5),
    ('s', 'ucf101'): (5e-4, 0.7, 0.2, 0.5),
    ('b', 'ucf101'): (5e-4, 0.7, 0.2, 0.5),
    ('l', 'ucf101'): (5e-4, 0.7, 0.3, 0.5),
    ('s', 'hmdb51'): (1e-3, 0.7, 0.2, 0.5),
    ('b', 'hmdb51'): (1e-3, 0.7, 0.2, 0.5),
    ('l', 'hmdb51'): (1e-3, 0.7, 0.3, 0.5),
}
SIZES = dict(s=(384, 12, 6), b=(768, 12, 12), l=(1024, 24, 16))


def split_name(name: str) -> tuple[str, str]:
    """Model size and data set."""
    model, data, _ = Path(name).stem.split('_')
    return model.removeprefix('vit-'), data


# ---------------------------------------------------------------------- the numbers


def test_all_are_there():
    assert {split_name(name) for name in LARGE} == set(RECIPE)


@every('name', LARGE)
def test_the_numbers_of_the_recipe(name):
    cfg, (model, data) = Config.fromfile(tiny.CONFIGS / name), split_name(name)
    classes, epochs, clips = DATA[data]
    rate, decay, drop_path, dropout = RECIPE[model, data]
    backbone, head = cfg.model.backbone, cfg.model.cls_head
    # the student's own encoder, with its fused attention
    assert backbone.type == 'MaskedVisionTransformer'
    assert (backbone.embed_dims, backbone.depth, backbone.num_heads) == SIZES[model]
    assert backbone.drop_path_rate == drop_path
    assert head.type == 'Float32TimeSformerHead'
    assert head.in_channels == backbone.embed_dims
    assert head.num_classes == classes
    assert head.get('dropout_ratio', 0.0) == dropout
    assert head.label_smooth_eps == 0.1
    mixes = cfg.model.data_preprocessor.blending.augments
    assert [(m.type, m.alpha, m.num_classes) for m in mixes] == [
        ('MixupBlending', 0.8, classes),
        ('CutmixBlending', 1.0, classes),
    ]
    assert cfg.train_cfg.max_epochs == epochs[model]
    assert cfg.optim_wrapper.optimizer == dict(
        type='AdamW', lr=rate, betas=(0.9, 0.999), weight_decay=0.05
    )
    assert cfg.optim_wrapper.paramwise_cfg == dict(decay_rate=decay, num_layers=backbone.depth)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper' and cfg.optim_wrapper.dtype == 'bfloat16'
    assert cfg.auto_scale_lr == dict(enable=True, base_batch_size=256)
    for loader, views in ((cfg.val_dataloader, 1), (cfg.test_dataloader, clips)):
        steps = {step.type: step for step in loader.dataset.pipeline}
        sample = steps['UniformSample' if data == 'ssv2' else 'SampleFrames']
        assert (sample.clip_len, sample.num_clips, sample.test_mode) == (16, views, True)
        assert steps['CenterCrop' if views == 1 else 'ThreeCrop'].crop_size == 224
    dataset = cfg.train_dataloader.dataset
    assert (dataset.type, dataset.num_repeats) == ('RepeatAugPathListDataset', 2)
    assert dataset.sample_once and cfg.randomness.diff_rank_seed
    if data != 'ssv2':
        assert dataset.pipeline[1].out_of_bound_opt == 'repeat_last'
    types = [step.type for step in dataset.pipeline]
    assert types.count('Flip') == (data != 'ssv2')
    assert types.count('RandomErasing') == 1
    stride = dict(k400=4, ucf101=4, hmdb51=2, ssv2=None)[data]
    assert dataset.pipeline[1].get('frame_interval') == stride
    assert not dataset.pipeline[1].get('test_mode')
    assert cfg.load_from == f'work_dirs/vit-{model}_k400_pretrain/student.pth'
    assert {'type': 'CheckBackboneHook'} in cfg.custom_hooks


@every('name', LARGE)
def test_four_operations_of_seven_tenths(name):
    """Of the largest strength, as rand-m7-n4; each is left out half of the time."""
    init_default_scope('mmaction')
    steps = Config.fromfile(tiny.CONFIGS / name).train_dataloader.dataset.pipeline
    steps = [TRANSFORMS.build(step) for step in steps if step.type == 'RandomApply']
    assert [step.prob for step in steps] == [0.5] * 4
    for step in steps:
        (wrapper,) = step.transforms.transforms
        assert wrapper.trans.num_ops == 1
        space = wrapper.trans._augmentation_space(wrapper.trans.num_magnitude_bins, (224, 224))
        for operation, largest in dict(ShearX=0.3, Rotate=30, Brightness=0.9, Color=0.9).items():
            strength = space[operation][0][wrapper.trans.magnitude].item()
            assert strength == pytest.approx(0.7 * largest), operation


def test_all_frames_are_augmented_alike():
    init_default_scope('mmaction')
    steps = Config.fromfile(tiny.CONFIGS / LARGE[0]).train_dataloader.dataset.pipeline
    augment = TRANSFORMS.build(next(step for step in steps if step.type == 'RandomApply'))
    frame = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    changed = 0
    for seed in range(40):
        np.random.seed(seed)
        torch.manual_seed(seed)
        first, second = augment(dict(imgs=[frame, frame.copy()]))['imgs']
        assert np.array_equal(first, second)
        changed += not np.array_equal(first, frame)
    assert 10 <= changed <= 30


@pytest.mark.parametrize('name', ['pmd/vit-s_k400_finetune.py', 'pmd/vit-l_ucf101_finetune.py'])
def test_every_layer_has_its_rate(name):
    """decay ** (distance from the head), and no weight decay for biases and norms."""
    init_default_scope('mmaction')
    cfg = Config.fromfile(tiny.CONFIGS / name)
    depth, decay = cfg.model.backbone.depth, cfg.optim_wrapper.paramwise_cfg.decay_rate
    cfg.model.backbone.update(embed_dims=12, num_heads=2, img_size=32)
    cfg.model.cls_head.in_channels = 12
    model = MODELS.build(cfg.model)
    wrapper = dict(cfg.optim_wrapper, type='OptimWrapper')
    for key in ('dtype', 'loss_scale', 'constructor', 'paramwise_cfg'):
        wrapper.pop(key)
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(
            type=cfg.optim_wrapper.constructor,
            optim_wrapper_cfg=wrapper,
            paramwise_cfg=cfg.optim_wrapper.paramwise_cfg,
        )
    )
    groups = constructor(model).optimizer.param_groups
    names = {id(value): key for key, value in model.named_parameters()}
    found = {
        names[id(p)]: (group['lr'], group['weight_decay'])
        for group in groups
        for p in group['params']
    }
    assert found.keys() == dict(model.named_parameters()).keys()
    for key, (rate, weight_decay) in found.items():
        level = depth + 1
        if '.blocks.' in key:
            level = int(key.split('.')[2]) + 1
        elif '.patch_embed.' in key:
            level = 0
        assert math.isclose(rate, 5e-4 * decay ** (depth + 1 - level)), key
        plain = key.endswith('.weight') and 'norm' not in key
        assert weight_decay == (0.05 if plain else 0.0), key


def test_rates_scale_with_the_total_batch(clips, tmp_path):
    """16 videos per process: 1/16 of the rate for 256, at every layer."""
    cfg = tiny_finetuning('pmd/vit-b_k400_finetune.py', clips, tmp_path, None)
    cfg.optim_wrapper.optimizer.lr = 5e-4
    cfg.auto_scale_lr.enable = True
    cfg.train_dataloader.batch_size = 12
    runner = tiny.build(cfg)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
    rates = [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups]
    assert math.isclose(max(rates), 5e-4 * 12 / 256)
    assert math.isclose(min(rates), 5e-4 * 12 / 256 * 0.75 ** (DEPTH + 1))


def test_a_video_is_decoded_once_and_augmented_twice(clips, tmp_path, monkeypatch):
    cfg = tiny_finetuning('pmd/vit-b_k400_finetune.py', clips, tmp_path, None)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    decode, calls = dataset.pipeline.transforms[2], []
    monkeypatch.setattr(
        decode, 'transform', lambda results, f=decode.transform: calls.append(1) or f(results)
    )
    first, second = dataset[0]
    assert len(calls) == 1
    assert first['data_samples'].gt_label == second['data_samples'].gt_label
    assert first['inputs'].shape == second['inputs'].shape == (1, 3, 4, 32, 32)
    assert not torch.equal(first['inputs'], second['inputs'])


def test_each_rank_mixes_and_drops_otherwise(monkeypatch):
    cfg = Config.fromfile(tiny.CONFIGS / 'pmd' / 'vit-b_k400_finetune.py')

    def drawn(rank):
        monkeypatch.setattr('mmengine.runner.utils.get_rank', lambda: rank)
        set_random_seed(**cfg.randomness)
        return [*np.random.rand(3), *torch.rand(3).tolist()]  # of the mixes, of drop path

    assert drawn(0) == drawn(0)
    assert not set(drawn(0)) & set(drawn(5))
