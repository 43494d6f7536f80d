"""timm gives the features of what becomes an image teacher."""

import pytest
import timm
import torch
from mmaction.registry import MODELS

from pmd_mmaction.convert import ClipSize, Options, convert

SIZE = dict(img_size=16, patch_size=8, embed_dim=24, depth=2, num_heads=2)


def autoencoder(**backbone):
    model = MODELS.build(
        dict(
            type='MaskedAutoencoder',
            mask_ratio=0.5,
            masker=dict(type='TubeMasker'),
            decoder=dict(type='FeatureDecoder', embed_dims=24, depth=1),
            backbone=dict(
                type='MaskedVisionTransformer',
                img_size=16,
                patch_size=8,
                embed_dims=24,
                depth=2,
                num_heads=2,
                use_mean_pooling=False,
                **backbone,
            ),
        )
    )
    for parameter in model.parameters():  # biases and norms too
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('init_values', [0.0, 0.1])
@torch.no_grad()
def test_timm_gives_the_features_of_the_frame_encoder(init_values):
    model = autoencoder(num_frames=1, tubelet_size=1, init_values=init_values)
    network = timm.create_model(
        'vit_tiny_patch16_224',
        **SIZE,
        class_token=False,
        global_pool='avg',
        fc_norm=False,
        num_classes=0,
        init_values=init_values or None,
    ).eval()
    result = convert(model.state_dict(), 'mmaction', 'timm').conversion
    network.load_state_dict(result.state_dict)  # strict
    frames = torch.randn(3, 3, 16, 16)
    ours = model.backbone.encode(frames.unsqueeze(2)).tokens
    torch.testing.assert_close(network.forward_features(frames), ours, atol=1e-5, rtol=1e-5)
    assert result.renamed.keys() | result.dropped.keys() == model.state_dict().keys()
    assert set(result.renamed.values()) == network.state_dict().keys()


@pytest.mark.usefixtures('mmaction_scope')
def test_patches_over_several_frames_are_refused():
    model = autoencoder(num_frames=4, tubelet_size=2)
    with pytest.raises(ValueError, match='2 frames'):
        convert(model.state_dict(), 'mmaction', 'timm')


@pytest.fixture
def vit(randomize):
    return randomize(timm.create_model('vit_tiny_patch16_224', **SIZE, num_classes=7)).eval()


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('source', ['timm', 'mae'])
@torch.no_grad()
def test_the_image_teacher_gives_timms_features(vit, tmp_path, source):
    state = vit.state_dict()
    decoder = {'mask_token': torch.ones(1), 'decoder_blocks.0.norm1.weight': torch.ones(1)}
    extra = decoder if source == 'mae' else {}
    result = convert(state | extra, source, 'timm').conversion
    assert result.dropped.keys() == {'head.weight', 'head.bias', *extra}
    torch.save(result.state_dict, tmp_path / 'teacher.pth')
    teacher = MODELS.build(
        dict(
            type='TimmImageTeacher',
            model_name='vit_tiny_patch16_224',
            model_kwargs=SIZE,
            checkpoint=str(tmp_path / 'teacher.pth'),
            num_frames=2,
            tubelet_size=2,
            target_norm='none',
            normalization='data',
        )
    )
    images = torch.randn(3, 3, 16, 16)
    expected = vit.forward_features(images)[:, 1:]
    found = teacher(images[:, :, None].expand(-1, -1, 2, -1, -1)).features
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_unknown_keys_are_named(vit):
    with pytest.raises(ValueError, match='not a timm ViT checkpoint.*mask_token'):
        convert(vit.state_dict() | {'mask_token': torch.ones(1)}, 'timm', 'timm')


@pytest.mark.parametrize('source', ['timm', 'mae'])
def test_a_lost_bias_is_named(vit, source):
    state = vit.state_dict()
    del state['blocks.1.attn.qkv.bias']
    with pytest.raises(ValueError, match=r"layer 1 is not complete: missing \['attn.qkv.bias'\]"):
        convert(state, source, 'timm')


@pytest.mark.parametrize('source', ['timm', 'mae'])
@pytest.mark.parametrize('lost', ['pos_embed', 'patch_embed.proj.weight'])
def test_lost_patches_and_positions_are_named(vit, source, lost):
    state = {k: v for k, v in vit.state_dict().items() if not k.startswith(lost[:11])}
    with pytest.raises(ValueError, match=rf"it lacks \['{lost}'\]"):
        convert(state, source, 'timm')


@pytest.mark.usefixtures('mmaction_scope')
def test_options_that_would_be_ignored_are_refused():
    state = autoencoder(num_frames=1, tubelet_size=1).state_dict()
    with pytest.raises(ValueError, match='no option but --num-heads applies'):
        convert(state, 'mmaction', 'timm', Options(clip=ClipSize(1, 32)))
    assert convert(state, 'mmaction', 'timm', Options(num_heads=2)).conversion.state_dict
