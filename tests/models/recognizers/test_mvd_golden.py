"""One step of MVD's config against numbers of its own code (golden.py)."""

import pytest
import torch

from pmd_mmaction.convert.videomae import read_videomae
from tests.models.recognizers.golden import Golden, check_gradients, check_groups, close

CONFIG = 'mvd/vit-b_k400_pretrain.py'


@pytest.fixture(scope='module')
def golden():
    return Golden('mvd')


@pytest.fixture
def model(golden, tmp_path, mmaction_scope):
    """The config's model in the sizes of the file, with its weights, without drop path."""
    size = golden.size
    mae = golden.part('teacher_image.')
    mae['pos_embed'] = torch.ones_like(mae['pos_embed'])  # MVD does not look at it
    torch.save(dict(model=mae), tmp_path / 'mae.pth')
    teacher = read_videomae(golden.part('teacher_video.')).state_dict
    torch.save(dict(state_dict=teacher), tmp_path / 'videomae.pth')
    width, depth, heads = size['it']
    image = dict(img_size=size['img'], patch_size=size['patch'], mlp_ratio=size['mlp_ratio'])
    image |= dict(embed_dim=width, depth=depth, num_heads=heads)

    def change(cfg):
        cfg.image_teacher.update(
            checkpoint=str(tmp_path / 'mae.pth'), model_kwargs=image, num_frames=size['frames']
        )
        path = str(tmp_path / 'videomae.pth')
        cfg.video_teacher.update(golden.encoder(size['vt']), checkpoint=path)

    return golden.build(CONFIG, change)


@pytest.fixture
def view(golden):
    """The recorded masks."""
    return golden.view()


def test_positions_are_those_of_mvd(golden, model):
    close(model.backbone.pos_embed, golden['student.pos_embed'])
    for name, decoder in model.decoders.items():
        close(decoder.positions, golden[f'student.pos_embed_{name}'])
    close(model.teachers['vid'].network.pos_embed, golden['pos.teacher_video_encoder'])
    close(model.teachers['img'].network.pos_embed, golden['teacher_image.pos_embed'])


def test_targets_features_and_predictions(golden, model, view):
    for name, kind in (('img', 'image'), ('vid', 'video')):
        close(model.teachers[name](golden['clip']).features, golden[f'inter.teacher_{kind}_tokens'])
    layers = range(model.backbone.depth)
    encoded = model.backbone.encode(golden['clip'], view.visible, layers)
    for index, layer in enumerate(encoded.layers):
        close(layer, golden[f'inter.student_block{index}'])
    close(encoded.tokens, golden['inter.student_encoder_normed'])
    for name, decoder in model.decoders.items():
        close(decoder.embed(encoded.tokens), golden[f'inter.student_down_{name}'])
        predicted = decoder(encoded.tokens, view.visible, view.masked)
        close(predicted, golden[f'inter.pred_{name}'])


def test_losses_and_gradients(golden, model, view):
    losses, _, _ = model.distill(golden['clip'], dict(student=view))
    assert set(losses) == {'loss_base_img', 'loss_base_vid'}
    for name in ('img', 'vid'):
        close(losses[f'loss_base_{name}'], golden[f'loss.{name}'])
    total = sum(losses.values())
    close(total, golden['loss.total'])
    total.backward()
    check_gradients(golden, model)


def test_layer_normalised_targets(golden, model, view):
    for teacher in model.teachers.values():
        teacher.target_norm = 'layer_norm'
    losses, _, _ = model.distill(golden['clip'], dict(student=view))
    for name in ('img', 'vid'):
        # MVD's layer norm has an eps of 1e-6, ours PyTorch's 1e-5
        close(losses[f'loss_base_{name}'], golden[f'loss.alt_normfeature_SmoothL1_{name}'], 1e-4)


def test_the_squared_distance(golden, model, view):
    model.terms['base'].distance = 'l2'
    losses, _, _ = model.distill(golden['clip'], dict(student=view))
    for name in ('img', 'vid'):
        close(losses[f'loss_base_{name}'], golden[f'loss.alt_L2_{name}'])


def test_parameter_groups(golden, model):
    check_groups(golden, model, CONFIG)
