"""One step of SMILE's second stage against numbers of its own code.

The file holds random weights, synthetic clips and what SMILE's training loop made of them in
float32 on the CPU: data and figures only.
"""

import json

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from safetensors import safe_open

from pmd_mmaction.convert.videomae import read_videomae
from pmd_mmaction.functional import split_mask
from pmd_mmaction.models.maskers import View
from tests.models.recognizers.golden import FOLDER, ROOT, close

GOLDEN = FOLDER / 'smile.safetensors'
STAGE = ROOT / 'configs' / 'smile' / 'vit-b_k400_pretrain_600e_stage2.py'
TERM = 'loss_base_img'


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
    """The name that a student's parameter of SMILE has here."""
    if key.startswith('encoder.'):
        return read_videomae({key: torch.zeros(())}).renamed[key]
    key = key.removeprefix('decoder.').replace('encoder_to_decoder.', 'embed.')
    key = key.replace('mlp.fc1.', 'mlp.layers.0.0.').replace('mlp.fc2.', 'mlp.layers.1.')
    return f'decoders.img.{key}'


@pytest.fixture
def model(golden, notes, tmp_path, mmaction_scope):
    """The config's model in the sizes of the file, with its weights."""
    cfg = Config.fromfile(STAGE).model
    size = notes['config']
    grid = dict(img_size=size['img'], patch_size=size['patch'])
    mlp = dict(mlp_ratio=size['mlp_ratio'])
    clip = part(golden, 'teacher_image.vision_encoder.')
    clip = {f'visual.{key}': value for key, value in clip.items()}
    clip['visual.conv1.weight'] = clip['visual.conv1.weight'].squeeze(2)  # one frame
    torch.save(clip, tmp_path / 'clip.pth')
    width, depth, heads = size['s']
    cfg.backbone.update(embed_dims=width, depth=depth, num_heads=heads, **mlp, **grid)
    frames = dict(num_frames=size['frames'], tubelet_size=size['tubelet'])
    cfg.backbone.update(frames)
    width, depth, heads = size['t']
    cfg.teachers.img.update(
        model_name='vit_base_patch16_clip_quickgelu_224',
        checkpoint=str(tmp_path / 'clip.pth'),
        model_kwargs=dict(embed_dim=width, depth=depth, num_heads=heads, **mlp, **grid),
        **frames,
    )
    width, depth, heads = size['dec']
    cfg.decoder.update(embed_dims=width, depth=depth, num_heads=heads, **mlp)
    cfg.mask_ratio = size['ratio']
    model = MODELS.build(cfg)
    weights = {ours(key): value for key, value in part(golden, 'student.').items()}
    model.load_state_dict(weights | {'backbone.pos_embed': model.backbone.pos_embed})
    return model


def view_of(*masks):
    """The view of some masks of each clip."""
    mask = torch.stack(masks, 1).flatten(0, 1)
    return View(*split_mask(mask, int((~mask[0]).sum())))


@pytest.fixture
def views(golden):
    """The recorded masks, two of each clip."""
    return dict(student=view_of(golden['mask'], golden['mask2']))


def test_positions_are_those_of_smile(golden, model):
    close(model.backbone.pos_embed, golden['pos.encoder'])
    close(model.decoders['img'].positions, golden['pos.decoder'])


def test_targets_features_and_predictions(golden, model, views):
    teacher = model.teachers['img']
    close(teacher(golden['clip']).features, golden['inter.target_normalised'])
    teacher.target_norm = 'none'
    close(teacher(golden['clip']).features, golden['inter.teacher_tokens'])
    student = views['student']
    layers = tuple(range(model.backbone.depth))
    encoded = model.backbone.encode(golden['clip'], student.visible, layers)
    predicted = model.decoders['img'](encoded.tokens, *student)
    for k, mask in enumerate(('mask1', 'mask2')):
        for index, layer in enumerate(encoded.layers):
            close(layer[k::2], golden[f'inter.student_block{index}_{mask}'])
        close(encoded.tokens[k::2], golden[f'inter.student_encoder_normed_{mask}'])
        close(predicted[k::2], golden[f'inter.pred_{mask}'])


def test_losses_and_gradients(golden, model, views):
    losses, *_ = model.distill(golden['clip'], views)
    assert set(losses) == {TERM}
    close(losses[TERM], golden['loss.total'])
    losses[TERM].backward()
    found = {name: p.grad for name, p in model.named_parameters()}
    for key, expected in part(golden, 'grad.').items():
        close(found[ours(key)], expected, 1e-4)
    norms = {ours(key): norm for key, norm in part(golden, 'gradnorm.').items()}
    assert norms.keys() == found.keys()
    for name, norm in norms.items():
        assert found[name].norm().item() == pytest.approx(norm.item(), rel=1e-4), name


@pytest.mark.parametrize('mask, loss', [('mask', 'loss.mask1'), ('mask2', 'loss.mask2')])
def test_each_mask_alone(golden, model, mask, loss):
    losses, *_ = model.distill(golden['clip'], dict(student=view_of(golden[mask])))
    close(losses[TERM], golden[loss])


def test_other_options(golden, model, views):
    single = dict(student=view_of(golden['mask']))
    close(model.distill(golden['clip'], single)[0][TERM], golden['loss.alt_single_mask'])
    model.teachers['img'].target_norm = 'none'
    close(model.distill(golden['clip'], views)[0][TERM], golden['loss.alt_unnormalised_target'])


def test_the_second_mask_is_that_of_another_clip(golden, notes, model):
    """The recorded permutation, and the masks that it hands round, drawn as SMILE draws it."""
    mask, steps = golden['mask'], notes['config']['grid'][0]
    order = mask.unflatten(1, (steps, -1)).int().argsort(dim=-1, stable=True)  # visible first
    generator = torch.Generator().manual_seed(notes['config']['pseed'])
    orders = model.masker.permuted_orders(order, 2, generator)
    view = model.masker.view(orders, notes['config']['ratio'])
    assert torch.equal(order[golden['permutation']], orders[1::2])
    assert all(torch.equal(*pair) for pair in zip(view, view_of(mask, golden['mask2'])))


def test_one_teacher_pass_for_the_two_masks(golden, model):
    seen = []
    model.teachers['img'].register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    model.loss(golden['clip'][:, None], [])
    assert seen == [len(golden['clip'])]


def test_weight_decay(model, notes):
    wrapper = build_optim_wrapper(model, Config.fromfile(STAGE).optim_wrapper)
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
