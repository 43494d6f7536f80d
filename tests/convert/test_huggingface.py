"""transformers computes the same features, in both directions; round trips are bit-equal."""

import json

import pytest
import torch
from mmaction.registry import MODELS
from safetensors.torch import load_file

from pmd_mmaction.convert import ClipSize, Options, convert
from pmd_mmaction.convert.verify import huggingface_outputs, mmaction_outputs
from tools.convert_checkpoint import write_folder

SMALL = ClipSize(4, 32)
CLIPS = [ClipSize(16, 224), ClipSize(8, 160), ClipSize(16, 160), ClipSize(8, 224)]
KINDS = ['VideoMAEModel', 'VideoMAEForPreTraining', 'VideoMAEForVideoClassification']
CLOSE = dict(atol=1e-4, rtol=1e-4)


def options(clip=SMALL, **changes):
    return Options(source_clip=clip, num_heads=3, **changes)


def backbone(state, clip=SMALL, **changes):
    """Our encoder with every weight loaded, none left over."""
    network = MODELS.build(
        dict(
            type='MaskedVisionTransformer',
            img_size=clip.img_size,
            num_frames=clip.num_frames,
            patch_size=16,
            embed_dims=48,
            depth=2,
            num_heads=3,
            mlp_ratio=2,
            **changes,
        )
    ).eval()
    own = {k.removeprefix('backbone.'): v for k, v in state.items() if k.startswith('backbone.')}
    network.load_state_dict(own)
    return network


# ---------------------------------------------------------------------- in


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('clip', CLIPS, ids=str)
@torch.no_grad()
def test_its_encoder_is_ours(hf_model, random_frames, clip):
    model = hf_model('VideoMAEModel', clip.num_frames, clip.img_size)
    result = convert(model.state_dict(), 'huggingface', 'mmaction', options(clip))
    frames = random_frames(clip.num_frames, clip.img_size)
    network = backbone(result.conversion.state_dict, clip, use_mean_pooling=False)
    expected = model(frames).last_hidden_state
    torch.testing.assert_close(network.encode(frames.transpose(1, 2)).tokens, expected, **CLOSE)
    assert expected.abs().mean() > 0.1


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('pools', [True, False])
@torch.no_grad()
def test_its_pretraining_model_gives_an_encoder(hf_model, random_frames, pools):
    model = hf_model('VideoMAEForPreTraining', use_mean_pooling=pools)
    result = convert(model.state_dict(), 'huggingface', 'mmaction', options())
    state = dict(result.conversion.state_dict)
    assert ('backbone.norm.weight' in state) == (not pools)
    if pools:
        state |= {
            'backbone.fc_norm.weight': torch.ones(48),
            'backbone.fc_norm.bias': torch.ones(48),
        }
    network = backbone(state, use_mean_pooling=pools)
    frames = random_frames()
    expected = model.videomae(frames).last_hidden_state
    torch.testing.assert_close(network.encode(frames.transpose(1, 2)).tokens, expected, **CLOSE)
    assert 'decoder.head.bias' in result.conversion.dropped


@pytest.mark.usefixtures('mmaction_scope')
@torch.no_grad()
def test_its_classifier_is_a_recognizer(hf_model, random_frames):
    model = hf_model('VideoMAEForVideoClassification')
    state = convert(model.state_dict(), 'huggingface', 'recognizer', options())
    recognizer = MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(
                type='VisionTransformer',
                img_size=32,
                num_frames=4,
                embed_dims=48,
                depth=2,
                num_heads=3,
                mlp_ratio=2,
            ),
            cls_head=dict(type='TimeSformerHead', num_classes=5, in_channels=48),
        )
    ).eval()
    recognizer.load_state_dict(state.conversion.state_dict)
    frames = random_frames()
    features, _ = recognizer.extract_feat(frames.transpose(1, 2)[:, None])
    torch.testing.assert_close(recognizer.cls_head(features), model(frames).logits, **CLOSE)


def test_names_of_both_generations(hf_model, published, tmp_path):
    """transformers 4 wrote q_bias, 5 has query.bias in memory."""
    model = hf_model()
    old = convert(published(model, tmp_path), 'huggingface', 'mmaction', options())
    new = convert(model.state_dict(), 'huggingface', 'mmaction', options())
    assert any('q_bias' in key for key in old.conversion.renamed)
    assert any('query.bias' in key for key in new.conversion.renamed)
    for key, value in new.conversion.state_dict.items():
        assert torch.equal(value, old.conversion.state_dict[key])


def test_every_key_is_accounted_for(hf_model):
    for kind in KINDS:
        source = hf_model(kind).state_dict()
        for target in ('mmaction', 'huggingface'):
            report = convert(source, 'huggingface', target, options()).conversion
            assert report.renamed.keys() | report.dropped.keys() == source.keys()
            assert not report.renamed.keys() & report.dropped.keys()
            assert set(report.renamed.values()) <= report.state_dict.keys() | {
                key.replace('query', 'qkv') for key in report.state_dict
            }


def test_a_bias_on_keys_is_dropped_with_its_reason(hf_model):
    source = hf_model().state_dict()
    name = 'encoder.layer.1.attention.attention.key.bias'
    report = convert(source | {name: torch.ones(48)}, 'huggingface', 'mmaction', options())
    assert report.conversion.dropped == {name: 'a bias on keys cancels in the softmax'}


def test_half_an_attention_is_refused(hf_model):
    source = hf_model().state_dict()
    del source['encoder.layer.1.attention.attention.key.weight']
    with pytest.raises(ValueError, match='lacks some of'):
        convert(source, 'huggingface', 'mmaction', options())


# ---------------------------------------------------------------------- out


def exported(state, tmp_path, clip=SMALL, **changes):
    result = convert(state, 'mmaction', 'huggingface', options(clip, **changes))
    folder = tmp_path / 'model'
    folder.mkdir()
    write_folder(result.folder, folder, {})
    return result, folder


@pytest.fixture
def student(randomize, mmaction_scope):
    """Weights of a student and its decoders, as a phase file holds them."""

    def make(clip=SMALL, position='sinusoid_1d', **changes):
        network = MODELS.build(
            dict(
                type='MaskedVisionTransformer',
                img_size=clip.img_size,
                num_frames=clip.num_frames,
                embed_dims=48,
                depth=2,
                num_heads=3,
                position=position,
                **dict(use_mean_pooling=False) | changes,
            )
        ).eval()
        state = {f'backbone.{key}': value for key, value in randomize(network).state_dict().items()}
        return network, state | {'decoders.img.head.bias': torch.zeros(3)}

    return make


@pytest.mark.parametrize('clip', CLIPS, ids=str)
@torch.no_grad()
def test_a_student_runs_in_transformers(student, random_frames, tmp_path, clip):
    import transformers

    network, state = student(clip)
    result, folder = exported(state, tmp_path, clip)
    model, info = transformers.AutoModel.from_pretrained(folder, output_loading_info=True)
    assert type(model).__name__ == 'VideoMAEModel'
    assert not (info['missing_keys'] or info['unexpected_keys'] or info['mismatched_keys'])
    frames = random_frames(clip.num_frames, clip.img_size)
    expected = network.encode(frames.transpose(1, 2)).tokens
    torch.testing.assert_close(model.eval()(frames).last_hidden_state, expected, **CLOSE)
    assert result.conversion.dropped['decoders.img.head.bias']


@torch.no_grad()
def test_other_positions_need_code(student, random_frames, tmp_path):
    import transformers

    network, state = student(position='sincos_3d')
    with pytest.raises(ValueError, match='--custom-code'):
        exported(state, tmp_path / 'refused')
    _, folder = exported(state, tmp_path, custom_code=True)
    frames = random_frames()
    expected = network.encode(frames.transpose(1, 2)).tokens
    model = transformers.AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
    torch.testing.assert_close(model(frames).last_hidden_state, expected, **CLOSE)
    plain = transformers.VideoMAEModel.from_pretrained(folder).eval()
    assert (plain(frames).last_hidden_state - expected).abs().max() > 0.1, 'or why the code?'


@pytest.mark.parametrize('position', ['sinusoid_1d', 'sincos_3d'])
@torch.no_grad()
def test_a_fine_tuned_model_classifies_in_transformers(student, random_frames, tmp_path, position):
    network, state = student(position=position, use_mean_pooling=True)
    head = {'cls_head.fc_cls.weight': torch.randn(4, 48), 'cls_head.fc_cls.bias': torch.randn(4)}
    names = ['run', 'jump', 'sit', 'throw']
    own = position != 'sinusoid_1d'
    _, folder = exported(state | head, tmp_path, labels=names, custom_code=own)
    frames = random_frames(batch=2)
    found = huggingface_outputs(folder, frames, trust_code=own)['logits']
    features = network(frames.transpose(1, 2))
    expected = features @ head['cls_head.fc_cls.weight'].T + head['cls_head.fc_cls.bias']
    torch.testing.assert_close(found, expected, **CLOSE)
    config = json.loads((folder / 'config.json').read_text())
    assert config['id2label'] == {'0': 'run', '1': 'jump', '2': 'sit', '3': 'throw'}


def test_its_processor_normalises_as_the_configs_do(student, tmp_path):
    import numpy as np
    import transformers

    _, folder = exported(student()[1], tmp_path)
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    video = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    found = torch.as_tensor(np.asarray(processor(list(video), return_tensors='pt')['pixel_values']))
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    expected = ((torch.tensor(video) - mean) / std).permute(0, 3, 1, 2)
    torch.testing.assert_close(found.float()[0], expected.float(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    'extra, changes, message',
    [
        ({}, dict(labels=['a']), 'no classification head'),
        (
            {'cls_head.fc_cls.weight': torch.zeros(2, 48), 'cls_head.fc_cls.bias': torch.zeros(2)},
            dict(labels=['a']),
            '1 labels for a head of 2 classes',
        ),
    ],
)
def test_what_does_not_fit_is_refused(student, tmp_path, extra, changes, message):
    with pytest.raises(ValueError, match=message):
        exported(student()[1] | extra, tmp_path, **changes)


def test_layer_scale_is_refused(student, tmp_path):
    _, state = student(init_values=0.1)
    with pytest.raises(ValueError, match='no layer scale'):
        exported(state, tmp_path)


# ---------------------------------------------------------------------- there and back


@pytest.mark.parametrize('position', ['sinusoid_1d', 'sincos_3d'])
def test_there_and_back_is_bit_equal(student, tmp_path, position):
    _, state = student(position=position)
    _, folder = exported(state, tmp_path, custom_code=True)
    back = convert(load_file(folder / 'model.safetensors'), 'huggingface', 'mmaction', options())
    found = back.conversion.state_dict
    assert found.keys() == {key for key in state if key.startswith('backbone.')}
    for key, value in found.items():
        if position == 'sinusoid_1d' and key == 'backbone.pos_embed':
            torch.testing.assert_close(value, state[key], atol=1e-6, rtol=0)  # computed, not kept
        else:
            assert torch.equal(value, state[key]), key


@torch.no_grad()
def test_own_positions_are_verified_without_the_code_in_the_folder(
    student, random_frames, tmp_path
):
    network, state = student(position='sincos_3d')
    _, folder = exported(state, tmp_path, custom_code=True)
    next(folder.glob('*.py')).write_text('raise SystemExit')
    frames = random_frames()
    found = huggingface_outputs(folder, frames, own_positions=True)['tokens']
    expected = network.encode(frames.transpose(1, 2)).tokens
    torch.testing.assert_close(found, expected, **CLOSE)


def test_back_and_there_is_bit_equal(hf_model, published, tmp_path):
    for kind in ('VideoMAEModel', 'VideoMAEForVideoClassification'):
        source = published(hf_model(kind), tmp_path / kind)
        result = convert(source, 'huggingface', 'huggingface', options())
        assert result.folder.state_dict.keys() == source.keys()
        for key, value in source.items():
            assert torch.equal(result.folder.state_dict[key], value), key


@torch.no_grad()
def test_mmaction_and_transformers_agree_for_the_verification(student, random_frames, tmp_path):
    _, state = student()
    result, folder = exported(state, tmp_path)
    frames = random_frames()
    ours = mmaction_outputs(result.common, SMALL, 3, frames)['tokens']
    theirs = huggingface_outputs(folder, frames, trust_code=False)['tokens']
    torch.testing.assert_close(ours, theirs, **CLOSE)
