"""Loading a frozen model, and what is taken from it."""

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config

from pmd_mmaction.evaluation import choose_pipeline, compute_features, load_frozen
from tests.integration import tiny

pytestmark = pytest.mark.usefixtures('mmaction_scope')


@pytest.fixture
def cfg(tmp_path):
    return tiny.tiny_config(tmp_path, tmp_path)


@pytest.fixture
def state(cfg):
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model.state_dict()


def load(cfg, state, tmp_path):
    torch.save(dict(state_dict=state), tmp_path / 'a.pth')
    return load_frozen(cfg, str(tmp_path / 'a.pth'))


# ---------------------------------------------------------------------- loading


def test_the_teachers_files_are_not_needed(cfg, state, tmp_path):
    cfg.model.image_teacher.checkpoint = cfg.model.video_teacher.checkpoint = 'nowhere.pth'
    cfg.model.image_teacher.pretrained = True  # or timm would download
    model = load(cfg, state, tmp_path)
    assert not model.training
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert cfg.model.image_teacher.checkpoint == 'nowhere.pth'


@pytest.mark.parametrize(
    'change, message',
    [
        ({'backbone.blocks.1.attn.q_bias': None}, "missing .*'backbone.blocks.1.attn.q_bias'"),
        ({'backbone.pos_embed': torch.zeros(1, 8, 48)}, r'wrong shapes .*\(1, 8, 48\) in the file'),
    ],
)
def test_a_backbone_that_is_not_filled_is_refused(cfg, state, tmp_path, change, message):
    state = {key: value for key, value in (state | change).items() if value is not None}
    with pytest.raises(ValueError, match=f'does not fill the backbone of the config: {message}'):
        load(cfg, state, tmp_path)


def test_a_recognizer_may_have_a_fresh_norm(state, tmp_path):
    cfg = Config.fromfile(tiny.CONFIGS / 'pmd' / 'vit-tiny_demo_probe.py')
    cfg.model.backbone.update(embed_dims=48, depth=3, num_heads=3, **tiny.GRID)
    cfg.model.cls_head.in_channels = 48
    model = load(cfg, state, tmp_path)
    assert torch.equal(model.backbone.pos_embed, state['backbone.pos_embed'])


# ---------------------------------------------------------------------- pipelines


def test_the_pipeline_of_the_test_comes_first():
    loaders = {
        f'{kind}_dataloader': dict(dataset=dict(pipeline=[kind])) for kind in ('test', 'val')
    }
    assert choose_pipeline(Config(loaders)) == ['test']
    del loaders['test_dataloader']
    assert choose_pipeline(Config(loaders)) == ['val']


def test_a_pretraining_config_gets_the_middle_of_its_clips():
    cfg = Config.fromfile(tiny.CONFIGS / 'pmd' / 'vit-b_k400_pretrain.py')
    steps = {step['type']: step for step in choose_pipeline(cfg)}
    sample = steps['SampleFrames']
    assert (sample['clip_len'], sample['frame_interval'], sample['test_mode']) == (16, 4, True)
    assert sample['out_of_bound_opt'] == 'repeat_last'  # as it was trained
    assert steps['CenterCrop']['crop_size'] == 224
    assert {'VideoInit', 'VideoDecode'} <= steps.keys()  # decord is not on every machine


def test_the_rate_of_the_training_is_kept():
    """Phones mix rates: a clip of the training has as many seconds at each."""
    sampling = dict(type='SampleFrames', clip_len=16, frame_interval=4, target_fps=30)
    cfg = Config(
        dict(model=dict(backbone={}), train_dataloader=dict(dataset=dict(pipeline=[sampling])))
    )
    sample = next(step for step in choose_pipeline(cfg) if step['type'] == 'SampleFrames')
    assert sample['target_fps'] == 30


def test_a_large_frame_is_not_thinned_out():
    """One column of ten is bright: a tenth of it is left, which single pixels would not see."""
    cfg = Config.fromfile(tiny.CONFIGS / 'pmd' / 'vit-b_k400_pretrain.py')
    resize = TRANSFORMS.build(next(s for s in choose_pipeline(cfg) if 'Resize' in s['type']))
    stripes = np.zeros((2240, 2240, 3), np.uint8)
    stripes[:, ::10] = 250
    found = resize(dict(imgs=[stripes], img_shape=(2240, 2240)))['imgs'][0]
    assert found.shape == (224, 224, 3) and abs(found[:, 2:-2].astype(int) - 25).max() <= 1


def test_a_wrapped_data_set_and_sizes_that_are_not_said():
    steps = [dict(type='SampleFrames', clip_len=4, frame_interval=7)]
    inner = dict(type='ConcatDataset', datasets=[dict(pipeline=steps)])
    cfg = Config(dict(model=dict(backbone={}), train_dataloader=dict(dataset=dict(dataset=inner))))
    sample = next(step for step in choose_pipeline(cfg) if step['type'] == 'SampleFrames')
    assert (sample['clip_len'], sample['frame_interval']) == (16, 7)


# ---------------------------------------------------------------------- features


@pytest.mark.parametrize('per_patch, layer', [(False, None), (True, None), (False, 2), (True, 2)])
def test_features_of_two_clips_per_video(cfg, state, tmp_path, per_patch, layer):
    model = load(cfg, state, tmp_path)
    inputs = torch.randn(3, 2, 3, 4, 32, 32)
    found = compute_features(model, inputs, per_patch, layer)
    with torch.no_grad():
        layers = [list(model.backbone.iter_layers(video)) for video in inputs]
    tokens = torch.stack(
        [model.backbone.norm(x[-1]) if layer is None else x[layer - 1] for x in layers]
    )
    expected = tokens if per_patch else tokens.mean((1, 2))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_features_for_an_attentive_probe_are_means_as_well(state, tmp_path):
    cfg = Config.fromfile(tiny.CONFIGS / 'pmd' / 'vit-tiny_demo_attentive-probe.py')
    cfg.model.backbone.update(embed_dims=48, depth=3, num_heads=3, **tiny.GRID)
    cfg.model.cls_head.in_channels = 48
    model = load(cfg, state, tmp_path)
    inputs = torch.randn(3, 2, 3, 4, 32, 32)
    tokens = compute_features(model, inputs, per_patch=True)
    torch.testing.assert_close(compute_features(model, inputs), tokens.mean((1, 2)))
