"""Every family of timm's plain ViTs as image teacher, against timm's own features."""

import pytest
import timm
import torch
import torch.nn.functional as F

from pmd_mmaction.models import TimmImageTeacher
from pmd_mmaction.models.teachers import LayerGroup

TINY = dict(img_size=16, patch_size=4, embed_dim=24, depth=3, num_heads=2)
EVA = dict(TINY, num_heads=3)  # rotary positions need heads of a multiple of 4
FAMILIES = {
    'MAE': ('vit_base_patch16_224.mae', TINY),
    'CLIP': ('vit_base_patch16_clip_224.openai', TINY),
    'DeiT III': ('deit3_small_patch16_224', TINY),
    'SigLIP': ('vit_base_patch16_siglip_224', dict(TINY, global_pool='')),
    'DINOv2 with registers': ('vit_small_patch14_reg4_dinov2', TINY),
    'DINOv3': ('vit_small_patch16_dinov3', EVA),
    'EVA-02': ('eva02_tiny_patch14_224', EVA),
    'BEiT': ('beit_base_patch16_224', TINY),
}


@pytest.fixture(params=FAMILIES)
def family(request, randomize):
    """A teacher and timm's own model with its weights."""
    name, kwargs = FAMILIES[request.param]
    teacher = TimmImageTeacher(
        name,
        num_frames=4,
        model_kwargs=kwargs,
        target_norm='none',
        normalization='data',
    )
    randomize(teacher.network, std=0.1)
    stock = timm.create_model(name, num_classes=0, **kwargs).eval()
    stock.load_state_dict(teacher.network.state_dict())
    return teacher, stock


@torch.no_grad()
def test_features_are_those_of_timm_after_its_last_norm(family, random_clips):
    teacher, stock = family
    clips = random_clips()
    drop = stock.num_prefix_tokens
    frames = [stock.forward_features(clips[:, :, t])[:, drop:] for t in (0, 2)]
    found = teacher(clips).features
    assert found.shape == (2, 32, 24)
    torch.testing.assert_close(found, torch.cat(frames, 1), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_layers_are_those_of_timm_before_its_last_norm(family, random_clips):
    teacher, stock = family
    clips, layers = random_clips(), {}
    for index, block in enumerate(stock.blocks):
        block.register_forward_hook(
            lambda m, x, out, index=index: layers.setdefault(index, []).append(out)
        )
    for t in (0, 2):
        stock.forward_features(clips[:, :, t])
    output = teacher(clips, [LayerGroup(range(1, 2)), LayerGroup(range(2, 3))])
    for index, statistics in zip((1, 2), output.groups):
        expected = torch.cat([x[:, stock.num_prefix_tokens :] for x in layers[index]], 1)
        torch.testing.assert_close(statistics.mean, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_patch_size_of_14_on_the_grid_of_16(random_clips, randomize):
    teacher = TimmImageTeacher(
        'vit_small_patch14_reg4_dinov2',
        num_frames=4,
        frame_size=32,
        model_kwargs=dict(TINY, img_size=28, patch_size=14),
        target_norm='none',
        normalization='data',
    )
    randomize(teacher.network, std=0.1)
    assert teacher.token_grid == (2, 2, 2) and teacher.clip_size == (3, 4, 32, 32)
    clips = random_clips(height=32, width=32)
    small = [
        F.interpolate(clips[:, :, t], (28, 28), mode='bilinear', antialias=True) for t in (0, 2)
    ]
    expected = [teacher.network.forward_features(x)[:, 5:] for x in small]
    torch.testing.assert_close(teacher(clips).features, torch.cat(expected, 1))


def test_a_grid_that_is_not_the_students_names_the_remedy(make_recognizer, sizes):
    cfg = dict(type='TimmImageTeacher', **sizes.image_teacher)
    cfg['model_kwargs'] = dict(cfg['model_kwargs'], patch_size=8)
    with pytest.raises(ValueError, match=r'image_teacher has a token grid .*frame_size'):
        make_recognizer(image_teacher=cfg)


@pytest.mark.parametrize(
    'name', ['swin_tiny_patch4_window7_224', 'hiera_tiny_224', 'convnext_tiny']
)
def test_networks_without_one_grid_of_tokens_are_refused(name):
    with pytest.raises(ValueError, match=f'{name} is a .*plain timm ViT'):
        TimmImageTeacher(name)
