"""DMAE's terms against numbers of its own code.

DMAE is a method for images with a class token, which our encoder does not have. So the student and
the decoder here are a small oracle of timm's blocks with the recorded weights; the terms, the
target and the mask are those of this package. The file holds random weights, synthetic images and
what DMAE's training loop made of them in float32 on the CPU: data and figures only.
"""

import json
import re
import types
from functools import partial

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from safetensors import safe_open
from timm.models.vision_transformer import Block
from torch import nn

from pmd_mmaction.convert.videomae import read_videomae
from pmd_mmaction.functional import GroupStatistics, patchify
from pmd_mmaction.models import CubeMasker, PixelTeacher, PixelTerm, Step, UnitAlignmentTerm, View
from tests.models.recognizers.golden import FOLDER, ROOT, close

CONFIG = ROOT / 'configs' / 'dmae' / 'vit-b_k400_pretrain.py'
GOLDEN = FOLDER / 'dmae.safetensors'
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
HEAD = 'aligned_feature_projection_heads.0.'


@pytest.fixture(scope='module')
def golden():
    """Tensors by name."""
    with safe_open(GOLDEN, 'pt') as file:
        return {key: file.get_tensor(key) for key in file.keys()}


@pytest.fixture(scope='module')
def size():
    """The sizes of the file."""
    with safe_open(GOLDEN, 'pt') as file:
        return json.loads(file.metadata()['config'])


def part(golden, prefix):
    """The tensors under a prefix, which is taken off."""
    return {k.removeprefix(prefix): v for k, v in golden.items() if k.startswith(prefix)}


class Oracle(nn.Module):
    """DMAE's student: a ViT with a class token over the kept patches, and MAE's decoder."""

    def __init__(self, size, weights):
        super().__init__()
        self.patch = size['patch']

        def blocks(width, depth, heads):
            norm = partial(nn.LayerNorm, eps=1e-6)
            return nn.ModuleList(
                Block(width, heads, size['mlp_ratio'], qkv_bias=True, norm_layer=norm)
                for _ in range(depth)
            )

        self.blocks, self.decoder_blocks = blocks(*size['s']), blocks(*size['dec'])
        own = [key for key in weights if not key.startswith(('blocks.', 'decoder_blocks.'))]
        self.rest = nn.ParameterDict({key.replace('.', '/'): weights[key].clone() for key in own})
        state = {key: value for key, value in weights.items() if key not in own}
        self.load_state_dict(state | {f'rest.{k}': v for k, v in self.rest.items()})

    def weight(self, key):
        """A parameter that is in no block."""
        return self.rest[key.replace('.', '/')]

    def linear(self, key, x):
        """A linear layer that is in no block."""
        return nn.functional.linear(x, self.weight(f'{key}.weight'), self.weight(f'{key}.bias'))

    def norm(self, key, x):
        """A layer norm that is in no block."""
        both = self.weight(f'{key}.weight'), self.weight(f'{key}.bias')
        return nn.functional.layer_norm(x, x.shape[-1:], *both, eps=1e-6)

    def forward(self, images, kept, restore, layer):
        """Tokens of a layer, class token first, and the prediction of all patches."""
        patches = patchify(images[:, :, None], 1, self.patch)
        kernel = self.weight('patch_embed.proj.weight').flatten(1)
        x = patches @ kernel.T + self.weight('patch_embed.proj.bias')
        positions = self.weight('pos_embed')
        x = (x + positions[:, 1:]).gather(1, kept[..., None].expand(-1, -1, x.shape[-1]))
        first = (self.weight('cls_token') + positions[:, :1]).expand(len(x), -1, -1)
        x = torch.cat([first, x], 1)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index == layer:
                aligned = x
        x = self.linear('decoder_embed', self.norm('norm', x))
        hidden = restore.shape[1] - kept.shape[1]
        y = torch.cat([x[:, 1:], self.weight('mask_token').expand(len(x), hidden, -1)], 1)
        y = y.gather(1, restore[..., None].expand(-1, -1, y.shape[-1]))
        y = torch.cat([x[:, :1], y], 1) + self.weight('decoder_pos_embed')
        for block in self.decoder_blocks:
            y = block(y)
        return aligned, self.linear('decoder_pred', self.norm('decoder_norm', y))[:, 1:]


@pytest.fixture
def terms(golden, size, mmaction_scope):
    """The two terms; that of the alignment has the recorded projection."""
    widths = dict(student_dims=size['s'][0], teacher_dims=dict(vid=size['t'][0]))
    layers = dict(student_layer=size['s_layer'], teacher_layer=size['t_layer'])
    align = UnitAlignmentTerm(student_depth=size['s'][1], teachers=['vid'], **widths, **layers)
    align.projections['vid'].load_state_dict(part(golden, f'student.{HEAD}'))
    return align, PixelTerm()


@pytest.fixture
def target(golden, size):
    """The pixels of all patches as the target, with those of DMAE in our order."""
    teacher = PixelTeacher(
        (1, *size['grid']),
        (3, 1, size['img'], size['img']),
        mean=MEAN,
        std=STD,
        normalize=False,
        scale='data',
    )
    return teacher(golden['image'][:, :, None]).features


def channels_first(rows):
    """Rows (pixel, channel) as rows (channel, pixel)."""
    return rows.unflatten(-1, (-1, 3)).mT.flatten(-2)


def step_of(golden, terms, target, aligned, predicted):
    """What the terms read, of DMAE's tensors."""
    mask = golden['mask']
    visible, masked = ((rows.nonzero()[:, 1].view(len(mask), -1)) for rows in (~mask, mask))
    view = View(visible, masked)
    theirs = golden['inter.teacher_aligned_block_out']
    align, _ = terms
    return Step(
        views=dict(student=view),
        targets=dict(pixel=target),
        groups=dict(align=dict(vid=(GroupStatistics(theirs, theirs.square().mean(-1)),))),
        layers={align.student_layers[0]: aligned},
        decoded=dict(pixel=view.at_masked(channels_first(predicted))),
    )


def test_the_layers_are_those_of_dmae(terms, size):
    align, _ = terms
    assert align.student_layers == (size['s_layer'],)
    assert align.teacher_groups(size['t'][1]) == (range(size['t_layer'], size['t_layer'] + 1),)


def test_the_target_is_that_of_dmae(golden, target):
    close(target, channels_first(golden['inter.target_patches']))


def test_losses_of_the_recorded_features(golden, terms, target):
    aligned = golden['inter.student_aligned_block_out']
    step = step_of(golden, terms, target, aligned, golden['inter.pred'])
    close(terms[0].projections['vid'](aligned), golden['inter.projected_student'])
    close(terms[0](step)['loss_align_vid'], golden['loss.align'])
    close(terms[1](step)['loss_pixel'], golden['loss.pixels'])


def test_gradients(golden, size, terms, target):
    """Through the oracle, to every parameter of DMAE's student."""
    weights = part(golden, 'student.')
    head = [key for key in weights if key.startswith(HEAD)]
    oracle = Oracle(size, {key: value for key, value in weights.items() if key not in head})
    aligned, predicted = oracle(
        golden['image'], golden['ids_keep'], golden['ids_restore'], size['s_layer']
    )
    close(aligned, golden['inter.student_aligned_block_out'])
    close(predicted, golden['inter.pred'])
    step = step_of(golden, terms, target, aligned, predicted)
    total = terms[0](step)['loss_align_vid'] + terms[1](step)['loss_pixel']
    close(total, golden['loss.total'])
    total.backward()
    found = {k.removeprefix('rest.').replace('/', '.'): p for k, p in oracle.named_parameters()}
    found |= {f'{HEAD}{k}': p for k, p in terms[0].projections['vid'].named_parameters()}
    for key, expected in part(golden, 'grad.').items():
        close(found[key].grad, expected.view(found[key].shape), 1e-4)
    norms = part(golden, 'gradnorm.')
    assert norms.keys() == found.keys() - {'pos_embed', 'decoder_pos_embed'}
    for key, norm in norms.items():
        assert found[key].grad.norm().item() == pytest.approx(norm.item(), rel=1e-4), key


def masks(golden, size):
    """(noise, mask) of the main masks and of the extra ones, with grid and ratio."""
    yield golden['mask_noise'], golden['mask'], size['grid'], size['ratio']
    for key, noise in part(golden, 'extra_mask.noise_').items():
        found = {name: m for name, m in golden.items() if name.endswith(f'_{key}')}
        ((name, mask),) = ((n, m) for n, m in found.items() if m.dtype == torch.bool)
        grid, ratio = name.removeprefix('extra_mask.').removesuffix(f'_{key}').split('_r')
        yield noise[None], mask[None], [int(side) for side in grid.split('x')], float(ratio)


def test_masks_of_the_recorded_noise(golden, size):
    for noise, expected, grid, ratio in masks(golden, size):
        masker = CubeMasker((1, *grid))
        masker.rank = types.MethodType(lambda _, *__, noise=noise: noise[:, None], masker)
        view = masker.view(masker.order(len(noise), torch.Generator()), ratio)
        assert torch.equal(view.masked, expected.nonzero()[:, 1].view(len(noise), -1))


# --- the config ---


NAMES = [
    (r'decoder_embed', 'decoders.pixel.embed'),
    (r'decoder_(blocks|norm)', r'decoders.pixel.\1'),
    (r'decoder_pred', 'decoders.pixel.head'),
    (r'mask_token', 'decoders.pixel.mask_token'),
    (r'aligned_feature_projection_heads\.0', 'terms.align.projections.vid'),
]


def ours(key):
    """The name that a parameter of DMAE's student has here; None for the class token."""
    if key == 'cls_token':
        return None
    for pattern, name in NAMES:
        if re.match(pattern, key):
            key = re.sub(f'^{pattern}', name, key)
            return key.replace('mlp.fc1.', 'mlp.layers.0.0.').replace('mlp.fc2.', 'mlp.layers.1.')
    return read_videomae({f'encoder.{key}': torch.zeros(())}).renamed[f'encoder.{key}']


def test_weight_decay(size, mmaction_scope):
    def vit(sizes):
        return dict(zip(('embed_dims', 'depth', 'num_heads'), sizes))

    cfg = Config.fromfile(CONFIG)
    cfg.model.backbone.update(vit(size['s']))
    cfg.model.teachers.vid.update(checkpoint=None, **vit(size['t']))
    cfg.model.decoder.update(vit(size['dec']))
    cfg.model.terms[1].update(student_layer=size['s_layer'], teacher_layer=size['t_layer'])
    model = MODELS.build(cfg.model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {}
    for group in build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups:
        decay = found.setdefault(group['weight_decay'], set())
        decay |= {names[id(parameter)] for parameter in group['params']}
    with safe_open(GOLDEN, 'pt') as file:
        recorded = json.loads(file.metadata()['param_groups'])
    for group in recorded:
        split = [n.replace('attn.qkv.bias', f'attn.{x}_bias') for n in group['names'] for x in 'qv']
        assert found[group['weight_decay']] == {ours(name) for name in split} - {None}


@pytest.fixture
def model(sizes, mmaction_scope):
    """The config's model, its parts made small."""
    cfg = Config.fromfile(CONFIG).model
    cfg.backbone.update(sizes.student)
    cfg.teachers.vid.update(checkpoint=None, **sizes.video_teacher)
    cfg.decoder.update(embed_dims=28, depth=1, num_heads=2)
    cfg.terms[1].update(student_layer=3, teacher_layer=1)
    cfg.mask_ratio = 0.75
    return MODELS.build(cfg)


def test_teacher_and_student_see_the_same_patches(model, random_clips, sizes):
    clips, seen = random_clips(), []
    network = model.teachers['vid'].network
    network.blocks[0].register_forward_pre_hook(lambda _, tokens: seen.append(tokens[0]))
    model.seed_masks(0)
    losses = model.loss(clips[:, None], [])
    assert set(losses) == {'loss_pixel', 'loss_align_vid'}
    assert list(model.decoders) == ['pixel']
    model.seed_masks(0)
    view = model.draw_views(clips)['student']
    assert [tokens.shape[1] for tokens in seen] == [view.visible.shape[1]]
    ours = model.backbone.encode(clips, view.visible, (3,)).layers[0]
    layers = list(network.iter_layers(clips, view.visible))
    unit = [
        x / x.square().sum(-1, keepdim=True).sqrt()
        for x in (model.terms['align'].projections['vid'](ours), layers[1])
    ]
    torch.testing.assert_close(losses['loss_align_vid'], (unit[0] - unit[1]).abs().mean())


def test_the_layers_follow_from_the_depths(mmaction_scope):
    term = UnitAlignmentTerm(student_dims=8, student_depth=12, teacher_dims=dict(vid=16))
    assert term.student_layers == (8,) and term.teacher_groups(24) == (range(17, 18),)
