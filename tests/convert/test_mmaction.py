"""What is trained here, and MMAction2's own files."""

import pytest
import torch
from mmaction.models.backbones.vit_mae import VisionTransformer

from pmd_mmaction.convert import ClipSize, Options, convert

CLIP = ClipSize(4, 32)
OPTIONS = Options(source_clip=CLIP)


@pytest.fixture
def weights(randomize):
    network = VisionTransformer(
        img_size=32,
        embed_dims=24,
        depth=2,
        num_heads=2,
        num_frames=4,
        init_values=0.1,
        use_mean_pooling=True,
    )
    state = {f'backbone.{k}': v for k, v in randomize(network).state_dict().items()}
    return state | {
        'cls_head.fc_cls.weight': torch.ones(3, 24),
        'cls_head.fc_cls.bias': torch.ones(3),
    }


def test_a_recognizer_stays_as_it_is(weights):
    result = convert(weights, 'mmaction', 'recognizer', OPTIONS).conversion
    assert result.state_dict.keys() == weights.keys()
    assert all(result.state_dict[key] is weights[key] for key in weights)
    assert not result.dropped and not result.notes


def test_an_attention_without_biases_is_told(weights):
    weights = {k: v for k, v in weights.items() if not k.endswith(('q_bias', 'v_bias'))}
    result = convert(weights, 'mmaction', 'recognizer', OPTIONS).conversion
    assert 'no layer of the source has biases' in result.notes[0]


def test_its_backbone_alone(weights):
    result = convert(weights, 'mmaction', 'mmaction', OPTIONS).conversion
    assert set(result.dropped) == {'cls_head.fc_cls.weight', 'cls_head.fc_cls.bias'}
    assert result.state_dict.keys() == weights.keys() - result.dropped.keys()


def test_names_without_prefix(weights):
    bare = {k.removeprefix('backbone.'): v for k, v in weights.items() if 'cls_head' not in k}
    result = convert(bare, 'mmaction', 'mmaction', OPTIONS).conversion
    assert result.state_dict.keys() == {f'backbone.{key}' for key in bare}


def test_what_was_trained_beside_the_encoder_is_dropped(make_recognizer):
    source = make_recognizer().state_dict()
    clip = ClipSize(4, 16)
    result = convert(source, 'mmaction', 'mmaction', Options(source_clip=clip)).conversion
    assert result.renamed.keys() == {key for key in source if key.startswith('backbone.')}
    assert {key.split('.')[0] for key in result.dropped} == {'decoders', 'terms'}


def test_another_head_is_named(weights):
    with pytest.raises(ValueError, match=r"unknown key\(s\), such as \['cls_head.fc1.weight'\]"):
        convert(weights | {'cls_head.fc1.weight': torch.ones(1)}, 'mmaction', 'mmaction', OPTIONS)


@pytest.mark.parametrize(
    'source, target, options, message',
    [
        ('mae', 'mmaction', Options(), 'no conversion from mae to mmaction'),
        ('mmaction', 'recognizer', Options(labels=['a']), 'belong to --to huggingface'),
        ('mae', 'timm', Options(clip=CLIP), 'no option but --num-heads applies'),
    ],
)
def test_ways_that_do_not_exist(weights, source, target, options, message):
    with pytest.raises(ValueError, match=message):
        convert(weights, source, target, options)


def test_an_attentive_probe_is_left_out_with_its_classes(weights):
    probe = dict.fromkeys(('query', 'attention.in_proj_bias', 'mlp.0.weight'), torch.ones(1))
    probe = {f'cls_head.{name}': value for name, value in probe.items()}
    result = convert(weights | probe, 'mmaction', 'mmaction', OPTIONS).conversion
    head = {key for key in weights if key.startswith('cls_head.')}
    assert set(result.dropped) == head | probe.keys()
    assert result.state_dict.keys() == weights.keys() - head
    with pytest.raises(ValueError, match='not a fine-tuned model'):
        convert(weights | probe, 'mmaction', 'recognizer', OPTIONS)
