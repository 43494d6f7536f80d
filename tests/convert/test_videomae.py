"""The official files of VideoMAE and MVD, written out by hand and run by transformers."""

import pytest
import torch
from mmaction.registry import MODELS

from pmd_mmaction.convert import ClipSize, Options, convert
from pmd_mmaction.functional import sincos_3d, sinusoid_1d

CLIP = ClipSize(4, 32)
OPTIONS = Options(source_clip=CLIP)


def official(model, prefix='encoder.'):
    """A transformers model under the names of VideoMAE's own code."""
    net = getattr(model, 'videomae', model)
    kernel = net.embeddings.patch_embeddings.projection
    state = {
        f'{prefix}patch_embed.proj.weight': kernel.weight,
        f'{prefix}patch_embed.proj.bias': kernel.bias,
    }
    for i, layer in enumerate(net.encoder.layer):
        block, attention = f'{prefix}blocks.{i}.', layer.attention.attention
        qkv = [attention.query.weight, attention.key.weight, attention.value.weight]
        state |= {
            f'{block}attn.qkv.weight': torch.cat(qkv),
            f'{block}attn.q_bias': attention.query.bias,
            f'{block}attn.v_bias': attention.value.bias,
        }
        for name, module in {
            'norm1': layer.layernorm_before,
            'norm2': layer.layernorm_after,
            'attn.proj': layer.attention.output.dense,
            'mlp.fc1': layer.intermediate.dense,
            'mlp.fc2': layer.output.dense,
        }.items():
            state |= {f'{block}{name}.weight': module.weight, f'{block}{name}.bias': module.bias}
    if net.layernorm is not None:
        state |= {f'{prefix}norm.weight': net.layernorm.weight}
        state |= {f'{prefix}norm.bias': net.layernorm.bias}
    return {key: value.detach().clone() for key, value in state.items()}


def encoder(conversion, **changes):
    size = dict(img_size=32, num_frames=4, embed_dims=48, depth=2, num_heads=3, mlp_ratio=2)
    network = MODELS.build(dict(type='MaskedVisionTransformer', **size, **changes)).eval()
    state = {k.removeprefix('backbone.'): v for k, v in conversion.state_dict.items()}
    network.load_state_dict(state)
    return network


@pytest.mark.usefixtures('mmaction_scope')
@torch.no_grad()
def test_a_pretrained_file(hf_model, random_frames):
    model, frames = hf_model(), random_frames()
    source = official(model)
    result = convert(source, 'videomae', 'mmaction', OPTIONS).conversion
    network = encoder(result, use_mean_pooling=False)
    torch.testing.assert_close(
        network.encode(frames.transpose(1, 2)).tokens,
        model(frames).last_hidden_state,
        atol=1e-4,
        rtol=1e-4,
    )
    assert result.renamed.keys() == source.keys()


@pytest.mark.usefixtures('mmaction_scope')
@torch.no_grad()
def test_a_fine_tuned_file(hf_model, random_frames):
    model, frames = hf_model('VideoMAEForVideoClassification'), random_frames()
    source = official(model, prefix='')
    heads = {'fc_norm': model.fc_norm, 'head': model.classifier}
    for name, module in heads.items():
        source |= {f'{name}.weight': module.weight.data, f'{name}.bias': module.bias.data}
    result = convert(source, 'videomae', 'recognizer', OPTIONS).conversion
    state = dict(result.state_dict)
    weight, bias = state.pop('cls_head.fc_cls.weight'), state.pop('cls_head.fc_cls.bias')
    network = encoder(result.with_state(state))
    logits = network(frames.transpose(1, 2)) @ weight.T + bias
    torch.testing.assert_close(logits, model(frames).logits, atol=1e-4, rtol=1e-4)
    backbone = convert(source, 'videomae', 'mmaction', OPTIONS).conversion
    assert backbone.dropped.keys() == {'head.weight', 'head.bias'}


@pytest.mark.parametrize(
    'source, table', [('videomae', sinusoid_1d(8, 48)), ('mvd', sincos_3d((2, 2, 2), 48))]
)
def test_each_code_has_its_own_positions(hf_model, source, table):
    result = convert(official(hf_model()), source, 'mmaction', OPTIONS).conversion
    assert torch.equal(result.state_dict['backbone.pos_embed'], table)
    forced = convert(
        official(hf_model()), source, 'mmaction', Options(source_clip=CLIP, position='sinusoid_1d')
    )
    assert torch.equal(forced.conversion.state_dict['backbone.pos_embed'], sinusoid_1d(8, 48))


def test_a_student_of_mvd(hf_model):
    """Its positions are in the file, and it has two decoders."""
    names = ['down_img.weight', 'down_img.bias', 'down_vid.weight', 'pos_embed_img']
    names += ['pos_embed_vid', 'mask_token_img', 'decoder_vid.blocks.0.norm1.weight']
    table = torch.randn(1, 8, 48)
    source = official(hf_model(), prefix='') | {'pos_embed': table}
    source |= {name: torch.zeros(1) for name in names}
    result = convert(source, 'mvd', 'mmaction', OPTIONS).conversion
    assert torch.equal(result.state_dict['backbone.pos_embed'], table)
    assert result.dropped == dict.fromkeys(names, 'decoder of the pre-training')


def test_a_pretrained_file_is_no_recognizer(hf_model):
    with pytest.raises(ValueError, match='not a fine-tuned model: it lacks'):
        convert(official(hf_model()), 'videomae', 'recognizer', OPTIONS)


@pytest.mark.parametrize('name', ['layer1.0.conv1.weight', 'cls_token', 'blocks.0.attn.qkv.bias'])
def test_unknown_keys_are_named(hf_model, name):
    with pytest.raises(ValueError, match=name):
        convert(official(hf_model()) | {name: torch.zeros(1)}, 'videomae', 'mmaction', OPTIONS)
