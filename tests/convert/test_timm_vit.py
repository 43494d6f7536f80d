import pytest
import timm
import torch
from mmaction.registry import MODELS

from pmd_mmaction.convert import mmaction_to_timm


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
def test_timm_gives_the_features_of_the_frame_encoder():
    model = autoencoder(num_frames=1, tubelet_size=1)
    network = timm.create_model(
        'vit_tiny_patch16_224',
        img_size=16,
        patch_size=8,
        embed_dim=24,
        depth=2,
        num_heads=2,
        class_token=False,
        global_pool='avg',
        fc_norm=False,
        num_classes=0,
    ).eval()
    network.load_state_dict(mmaction_to_timm(model.state_dict()).state_dict)  # strict
    frames = torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        ours = model.backbone.encode(frames.unsqueeze(2)).tokens
        torch.testing.assert_close(network.forward_features(frames), ours, atol=1e-5, rtol=1e-5)


@pytest.mark.usefixtures('mmaction_scope')
def test_patches_over_several_frames_are_refused():
    model = autoencoder(num_frames=4, tubelet_size=2)
    with pytest.raises(ValueError, match='2 frames'):
        mmaction_to_timm(model.state_dict())
