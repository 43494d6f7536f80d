"""MaskedAutoencoder against VideoMAE: transformers' class, and figures of VideoMAE's own code.

``tests/data/golden/videomae.safetensors`` holds weights, clip, mask, targets, losses and gradient
norms of one step of the public code with random weights, at a tiny size, in float32 on the CPU.
"""

import json

import pytest
import torch
from mmaction.registry import MODELS
from safetensors import safe_open
from safetensors.torch import load_file

from pmd_mmaction.convert import ClipSize, Options, convert
from pmd_mmaction.functional import gather_tokens, split_mask
from pmd_mmaction.models.maskers import View
from tests.models.recognizers.golden import FOLDER

GOLDEN = FOLDER / 'videomae.safetensors'
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
PREFIX = 'student.'


def build(frames, size, encoder, decoder, mlp_ratio, mask, **options):
    """A MaskedAutoencoder with the sizes (width, depth, heads) and a mask that is given."""
    dims, depth, heads = encoder
    model = MODELS.build(
        dict(
            type='MaskedAutoencoder',
            backbone=dict(
                type='MaskedVisionTransformer',
                use_mean_pooling=False,
                img_size=size,
                patch_size=8,
                num_frames=frames,
                embed_dims=dims,
                depth=depth,
                num_heads=heads,
                mlp_ratio=mlp_ratio,
            ),
            decoder=dict(
                type='FeatureDecoder',
                embed_dims=decoder[0],
                depth=decoder[1],
                num_heads=decoder[2],
                mlp_ratio=mlp_ratio,
            ),
            masker=dict(type='TubeMasker'),
            mask_ratio=0.75,
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                mean=(255 * MEAN).tolist(),
                std=(255 * STD).tolist(),
                format_shape='NCTHW',
            ),
            **options,
        )
    )
    view = View(*split_mask(mask, int((~mask[0]).sum())))
    model.masker.view = lambda order, ratio: view
    return model.eval()


def channels_first(rows):
    """Rows of VideoMAE's prediction head, (frame, row, column, channel), in our order."""
    return rows.unflatten(0, (2, 8, 8, 3)).movedim(3, 0).flatten(0, 3)


def load(model, encoder, decoder):
    """Loads weights under the names of VideoMAE's code."""
    size = model.backbone.clip_size
    options = Options(source_clip=ClipSize(size[1], size[2]))
    state = convert(encoder, 'videomae', 'mmaction', options).conversion.state_dict
    for key, value in decoder.items():
        key = key.replace('mlp.fc1', 'mlp.layers.0.0').replace('mlp.fc2', 'mlp.layers.1')
        state[f'decoders.pixel.{key}'] = channels_first(value) if key.startswith('head.') else value
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and not missing
    return model


# --- VideoMAE's own code ---


@pytest.fixture(scope='module')
def golden():
    """The tensors of the file, its config, and a model with its weights."""
    tensors = load_file(GOLDEN)
    with safe_open(GOLDEN, 'pt') as file:
        cfg = json.loads(file.metadata()['config'])
    weights = {k.removeprefix(PREFIX): v for k, v in tensors.items() if k.startswith(PREFIX)}
    encoder = {k: v for k, v in weights.items() if k.startswith('encoder.')}
    decoder = {
        k.removeprefix('decoder.').replace('encoder_to_decoder.', 'embed.'): v
        for k, v in weights.items()
        if k not in encoder
    }

    def model(**options):
        size = cfg['frames'], cfg['img'], cfg['s'], cfg['dec'], cfg['mlp_ratio']
        return load(build(*size, tensors['mask'], **options), encoder, decoder)

    return tensors, model


@pytest.mark.usefixtures('mmaction_scope')
def test_targets_are_those_of_its_own_code(golden):
    tensors, make = golden
    masked = tensors['mask'].nonzero()[:, 1].view(2, -1)
    for normalize, name in ((True, 'normalised_masked'), (False, 'raw_masked_sample0')):
        expected = tensors[f'inter.target_{name}'].unflatten(-1, (-1, 3)).mT.flatten(2)
        teacher = make(normalize_target=normalize).teachers['pixel']
        target = gather_tokens(teacher(tensors['clip']).features, masked)
        torch.testing.assert_close(target[: len(expected)], expected, atol=2e-6, rtol=0)


@pytest.mark.usefixtures('mmaction_scope')
def test_losses_are_those_of_its_own_code(golden):
    tensors, make = golden
    for normalize, name in ((True, 'total'), (False, 'alt_unnormalised_target')):
        loss = make(normalize_target=normalize).loss(tensors['clip'][:, None], [])['loss_pixel']
        assert loss.item() == pytest.approx(tensors[f'loss.{name}'].item(), rel=1e-6)


@pytest.mark.usefixtures('mmaction_scope')
def test_gradient_norms_are_those_of_its_own_code(golden):
    tensors, make = golden
    model = make()
    model.loss(tensors['clip'][:, None], [])['loss_pixel'].backward()
    norms = {
        k.removeprefix('gradnorm.'): v for k, v in tensors.items() if k.startswith('gradnorm.')
    }
    own = {name: p.grad.norm().item() for name, p in model.named_parameters()}
    assert len(own) == len(norms)
    renames = {'backbone.': 'encoder.', 'patch_embed.projection': 'patch_embed.proj'}
    renames |= {'mlp.layers.0.0': 'mlp.fc1', 'mlp.layers.1': 'mlp.fc2'}
    renames |= {'decoder.embed.': 'encoder_to_decoder.', 'decoder.mask_token': 'mask_token'}
    for name, norm in own.items():
        name = name.replace('decoders.pixel.', 'decoder.')
        for old, new in renames.items():
            name = name.replace(old, new)
        assert norm == pytest.approx(norms[name].item(), rel=1e-5), name
    assert torch.tensor([*own.values()]).norm().item() == pytest.approx(
        tensors['gradnorm_total'].item(), rel=1e-6
    )


# --- transformers ---


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('normalize', [True, False])
def test_losses_are_those_of_transformers(randomize, normalize):
    import transformers

    config = transformers.VideoMAEConfig(
        image_size=32,
        patch_size=8,
        num_frames=4,
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=96,
        layer_norm_eps=1e-6,
        use_mean_pooling=False,
        decoder_hidden_size=32,
        decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=64,
        norm_pix_loss=normalize,
    )
    theirs = randomize(transformers.VideoMAEForPreTraining(config)).eval()
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (2, 3, 4, 32, 32), generator=generator) / 255
    clips = (pixels - MEAN.view(-1, 1, 1, 1)) / STD.view(-1, 1, 1, 1)
    ranks = torch.rand(2, 16, generator=generator).argsort(1)
    mask = (ranks < 12).repeat(1, 2)
    expected = theirs(clips.transpose(1, 2), bool_masked_pos=mask).loss

    model = build(4, 32, (48, 2, 3), (32, 1, 2), 2, mask, normalize_target=normalize)
    state = theirs.state_dict()
    encoder = {k: v for k, v in state.items() if k.startswith('videomae.')}
    options = Options(source_clip=ClipSize(4, 32))
    result = convert(encoder, 'huggingface', 'mmaction', options).conversion.state_dict
    own = decoder_of_transformers(state)
    model.load_state_dict(result | {f'decoders.pixel.{key}': value for key, value in own.items()})
    loss = model.loss(clips[:, None], [])['loss_pixel']
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def decoder_of_transformers(state):
    """Its decoder under our names."""
    own = dict(
        mask_token=state['mask_token'], **{'embed.weight': state['encoder_to_decoder.weight']}
    )
    for part in ('weight', 'bias'):
        own[f'head.{part}'] = channels_first(state[f'decoder.head.{part}'])
        own[f'norm.{part}'] = state[f'decoder.norm.{part}']
    layer, block = 'decoder.decoder_layers.0.', 'blocks.0.'
    attention = f'{layer}attention.attention.'
    qkv = [state[f'{attention}{name}.weight'] for name in ('query', 'key', 'value')]
    own[f'{block}attn.qkv.weight'] = torch.cat(qkv)
    own[f'{block}attn.q_bias'] = state[f'{attention}query.bias']
    own[f'{block}attn.v_bias'] = state[f'{attention}value.bias']
    names = {
        'attention.output.dense': 'attn.proj',
        'intermediate.dense': 'mlp.layers.0.0',
        'output.dense': 'mlp.layers.1',
        'layernorm_before': 'norm1',
        'layernorm_after': 'norm2',
    }
    for theirs, ours in names.items():
        for part in ('weight', 'bias'):
            own[f'{block}{ours}.{part}'] = state[f'{layer}{theirs}.{part}']
    return own
