"""One step of the baseline against numbers of MVD's own code.

The file holds random weights, synthetic clips and what MVD's training loop made of them in float32
on the CPU, without drop path: data and figures only.
"""

import json
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from safetensors import safe_open

from pmd_mmaction.convert.videomae import read_videomae
from pmd_mmaction.functional import split_mask
from pmd_mmaction.models.maskers import View

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / 'tests' / 'data' / 'golden' / 'mvd.safetensors'
BASELINE = ROOT / 'configs' / 'baselines' / 'mvd_vit-b_k400_pretrain.py'


@pytest.fixture(scope='module')
def golden():
    """Tensors by name."""
    with safe_open(GOLDEN, 'pt') as file:
        return {key: file.get_tensor(key) for key in file.keys()}


@pytest.fixture(scope='module')
def notes():
    """What the file says of itself."""
    with safe_open(GOLDEN, 'pt') as file:
        return {key: json.loads(text) for key, text in file.metadata().items()}


def part(golden, prefix):
    """The tensors under a prefix, which is taken off."""
    return {k.removeprefix(prefix): v for k, v in golden.items() if k.startswith(prefix)}


def ours(key):
    """The name that a student's parameter of MVD has here."""
    for name in ('img', 'vid'):
        key = key.replace(f'mask_token_{name}', f'decoders.{name}.mask_token')
        key = key.replace(f'down_{name}.', f'decoders.{name}.embed.')
        key = key.replace(f'decoder_{name}.', f'decoders.{name}.')
    if not key.startswith('decoders.'):
        return read_videomae({key: torch.zeros(())}).renamed[key]
    return key.replace('mlp.fc1.', 'mlp.layers.0.0.').replace('mlp.fc2.', 'mlp.layers.1.')


@pytest.fixture
def model(golden, notes, tmp_path, mmaction_scope):
    """The baseline's model in the sizes of the file, with its weights, without drop path."""
    cfg = Config.fromfile(BASELINE).model
    size = notes['config']
    grid = dict(img_size=size['img'], patch_size=size['patch'], num_frames=size['frames'])

    def encoder(width, depth, heads):
        return dict(embed_dims=width, depth=depth, num_heads=heads, **grid)

    mae = part(golden, 'teacher_image.')
    mae['pos_embed'] = torch.ones_like(mae['pos_embed'])  # MVD does not look at it
    torch.save(dict(model=mae), tmp_path / 'mae.pth')
    teacher = read_videomae(part(golden, 'teacher_video.')).state_dict
    torch.save(dict(state_dict=teacher), tmp_path / 'videomae.pth')
    width, depth, heads = size['it']
    image = dict(img_size=size['img'], patch_size=size['patch'])
    image |= dict(embed_dim=width, depth=depth, num_heads=heads)
    cfg.backbone.update(encoder(*size['s']), drop_path_rate=0.0)
    cfg.image_teacher.update(
        checkpoint=str(tmp_path / 'mae.pth'), model_kwargs=image, num_frames=size['frames']
    )
    cfg.video_teacher.update(encoder(*size['vt']), checkpoint=str(tmp_path / 'videomae.pth'))
    width, depth, heads = size['dec']
    cfg.decoder.update(embed_dims=width, depth=depth, num_heads=heads, drop_path_rate=0.0)
    model = MODELS.build(cfg)
    tables = ('pos_embed', 'pos_embed_img', 'pos_embed_vid')
    student = part(golden, 'student.')
    weights = {ours(key): value for key, value in student.items() if key not in tables}
    model.load_state_dict(weights | {'backbone.pos_embed': model.backbone.pos_embed})
    return model


@pytest.fixture
def view(golden):
    """The recorded masks."""
    mask = golden['mask']
    visible, masked = split_mask(mask, int((~mask[0]).sum()))
    return View(visible, masked)


def close(found, expected, tolerance=1e-5):
    """Fails where the difference exceeds a share of the largest value."""
    scale = expected.abs().max().item()
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * scale)


def test_positions_are_those_of_mvd(golden, model):
    close(model.backbone.pos_embed, golden['student.pos_embed'])
    for name, decoder in model.decoders.items():
        close(decoder.positions, golden[f'student.pos_embed_{name}'])
    close(model.teachers['vid'].network.pos_embed, golden['pos.teacher_video_encoder'])
    close(model.teachers['img'].network.pos_embed, golden['teacher_image.pos_embed'])


def test_targets_features_and_predictions(golden, model, view):
    for name, kind in (('img', 'image'), ('vid', 'video')):
        close(model.teachers[name](golden['clip']).features, golden[f'inter.teacher_{kind}_tokens'])
    encoded = model.backbone.encode(golden['clip'], view.visible, (0, 1))
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
    found = {name: p.grad for name, p in model.named_parameters()}
    for key, expected in part(golden, 'grad.').items():
        close(found[ours(key)], expected, 1e-4)
    norms = {ours(key): norm for key, norm in part(golden, 'gradnorm.').items()}
    assert norms.keys() == found.keys()
    for name, norm in norms.items():
        assert found[name].norm().item() == pytest.approx(norm.item(), rel=1e-4), name


def test_layer_normalised_targets(golden, model, view):
    for teacher in model.teachers.values():
        teacher.target_norm = 'layer_norm'
    losses, _, _ = model.distill(golden['clip'], dict(student=view))
    for name in ('img', 'vid'):
        # MVD's layer norm has an eps of 1e-6, ours PyTorch's 1e-5
        close(losses[f'loss_base_{name}'], golden[f'loss.alt_normfeature_SmoothL1_{name}'], 1e-4)


def test_weight_decay(model, notes):
    cfg = Config.fromfile(BASELINE).optim_wrapper
    wrapper = build_optim_wrapper(model, cfg)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {}
    for group in wrapper.optimizer.param_groups:
        decay = found.setdefault(group['weight_decay'], set())
        decay |= {names[id(parameter)] for parameter in group['params']}
    expected = {
        group['weight_decay']: {ours(name) for name in group['names']}
        for group in notes['param_groups']
    }
    assert found == expected
