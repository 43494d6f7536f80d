"""The names in the public codes' own files, alone and in whatever wrappers they were saved.

``tests/data/golden/names.json``: method to weight to shape, of models at a tiny size.
"""

import itertools
import json
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS

from pmd_mmaction.convert import ClipSize, Options, convert
from pmd_mmaction.convert.formats import IMAGE_SOURCES, VIDEO_SOURCES
from pmd_mmaction.convert.huggingface_folder import write_folder
from pmd_mmaction.convert.verify import huggingface_outputs, mmaction_outputs
from pmd_mmaction.models import VideoMAETeacher
from tests.every import every
from tests.models.recognizers.golden import Golden, close

NAMES = json.loads(
    (Path(__file__).resolve().parents[1] / 'data' / 'golden' / 'names.json').read_text()
)
# method: source, frames, what is left out
FILES = {
    'videomae': ('videomae', 8, {'decoder of the pre-training'}),
    'videomaev2': ('videomae', 8, {'decoder of the pre-training'}),
    'smile': ('videomae', 6, {'decoder of the pre-training'}),
    'amd': (
        'videomae',
        4,
        {'decoder of the pre-training', 'projections and generators of AMD'},
    ),
    'amd_teacher': ('videomae', 4, set()),
    'mvd': ('mvd', 4, {'decoder of the pre-training'}),
    'mvd_video_teacher': ('videomae', 4, set()),
    'mvd_image_teacher': ('mae', 1, set()),
    'smile_image_teacher': ('clip', 1, set()),
    'dmae': ('mae', 1, {'decoder of the pre-training', 'projections of DMAE'}),
}
PARTS = ('module.', 'model.', '_orig_mod.', '_fsdp_wrapped_module.', 'backbone.', 'encoder.')
WRAPPERS = [''.join(parts) for n in (1, 2) for parts in itertools.permutations(PARTS, n)]
WRAPPERS += ['module.module.', 'model.module._orig_mod.', '_orig_mod.model.backbone.encoder.']

# method and part of its recorded weights; pixels teach VideoMAE and VideoMAE V2
RECORDED = [(method, 'student.') for method in ('videomae', 'videomaev2', 'amd', 'mvd')]
RECORDED += [('amd', 'teacher_video.'), ('mvd', 'teacher_video.')]


def weights(method):
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in NAMES[method].items()}


def converted(method, state):
    source, frames, _ = FILES[method]
    if source in IMAGE_SOURCES:
        return convert(state, source, 'timm').conversion
    return convert(state, source, 'mmaction', Options(source_clip=ClipSize(frames, 32))).conversion


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('method', FILES)
def test_every_method_is_read(method):
    state, (source, frames, left_out) = weights(method), FILES[method]
    result = converted(method, state)
    assert {*result.renamed, *result.dropped} == state.keys()
    assert set(result.dropped.values()) == left_out
    for old, new in result.renamed.items():
        assert torch.equal(result.state_dict[new].flatten(), state[old].flatten())
    if source in IMAGE_SOURCES:
        return
    kernel = result.state_dict['backbone.patch_embed.projection.weight']
    hidden = result.state_dict['backbone.blocks.0.mlp.layers.0.0.weight'].shape[0]
    network = MODELS.build(
        dict(
            type='MaskedVisionTransformer',
            img_size=32,
            num_frames=frames,
            patch_size=8,
            embed_dims=len(kernel),
            mlp_ratio=hidden // len(kernel),
            depth=sum(key.endswith('.qkv.weight') for key in result.state_dict),
            num_heads=1,
            use_mean_pooling='backbone.norm.weight' not in result.state_dict,
        )
    )
    own = {k.removeprefix('backbone.'): v for k, v in result.state_dict.items()}
    missing, unexpected = network.load_state_dict(own, strict=False)
    assert not unexpected and set(missing) <= {'fc_norm.weight', 'fc_norm.bias'}


@pytest.mark.parametrize('method', FILES)
def test_wrappers_around_the_names_make_no_difference(method):
    state = weights(method)
    plain = converted(method, state)
    for wrapper in WRAPPERS:
        wrapped = converted(method, {wrapper + name: value for name, value in state.items()})
        assert wrapped.state_dict.keys() == plain.state_dict.keys()
        assert all(torch.equal(wrapped.state_dict[k], v) for k, v in plain.state_dict.items())
        assert wrapped.renamed == {wrapper + old: new for old, new in plain.renamed.items()}
        assert wrapped.dropped == {wrapper + old: text for old, text in plain.dropped.items()}


@pytest.mark.parametrize('method', FILES)
@every('part', ['_orig_mod.', 'module.', '_checkpoint_wrapped_module.'])
def test_wrappers_within_the_names_make_no_difference(method, part):
    """As a compiled or wrapped encoder, or a compiled layer, has them."""
    state = weights(method)
    plain = converted(method, state)
    for place in ('encoder.', 'blocks.0.', 'blocks.1.'):
        wrapped = {name.replace(place, place + part): value for name, value in state.items()}
        result = converted(method, wrapped)
        assert result.state_dict.keys() == plain.state_dict.keys()
        assert list(result.renamed.values()) == list(plain.renamed.values())


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('method, part', RECORDED)
@every('prefix', ['', '_orig_mod.', 'module.'])
def test_recorded_weights_give_the_recorded_features(method, part, prefix, tmp_path):
    """Every key of a file is known, and the converted encoder loads strictly."""
    golden = Golden(method)
    state = {prefix + key: value for key, value in golden.part(part).items()}
    assert state
    size = golden.size
    source = 'mvd' if (method, part) == ('mvd', 'student.') else 'videomae'
    options = Options(source_clip=ClipSize(size['frames'], size['img']))
    result = convert(state, source, 'mmaction', options).conversion
    assert {*result.renamed, *result.dropped} == state.keys()
    torch.save(dict(state_dict=result.state_dict), tmp_path / 'encoder.pth')
    sizes = size['s'] if part == 'student.' else size.get('vt', size.get('t'))
    teacher = VideoMAETeacher(
        str(tmp_path / 'encoder.pth'),
        position=VIDEO_SOURCES[source][2],
        target_norm='none',
        last_norm=part == 'student.',
        **golden.encoder(sizes),
    )
    if method == 'mvd' and part == 'teacher_video.':
        close(teacher(golden['clip']).features, golden['inter.teacher_video_tokens'])
    if part == 'student.':
        features = teacher(golden['clip'], (), golden.view().visible).features
        close(features, golden['inter.student_encoder_normed'])


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('method', ['videomae', 'videomaev2', 'amd', 'smile', 'mvd'])
@pytest.mark.parametrize('target', ['recognizer', 'mmaction', 'huggingface'])
def test_a_fine_tuned_file_is_read(method, target):
    """Each code fine-tunes VideoMAE's classifier: no prefix, fc_norm instead of norm, a head."""
    source, frames, _ = FILES[method]
    state = {key.removeprefix('encoder.'): value for key, value in weights(method).items()}
    own = ('patch_embed.', 'blocks.')
    state = {key: value for key, value in state.items() if key.startswith(own)}
    width = len(state['patch_embed.proj.bias'])
    state |= {f'fc_norm.{name}': torch.randn(width) for name in ('weight', 'bias')}
    state |= {'head.weight': torch.randn(5, width), 'head.bias': torch.randn(5)}
    custom = target == 'huggingface' and source == 'mvd'  # its positions
    options = Options(source_clip=ClipSize(frames, 32), num_heads=1, custom_code=custom)
    result = convert(state, source, target, options)
    if target == 'huggingface':
        assert torch.equal(result.folder.state_dict['classifier.bias'], state['head.bias'])
        return
    assert {*result.conversion.renamed, *result.conversion.dropped} == state.keys()
    if target == 'recognizer':
        assert not result.conversion.dropped
        assert torch.equal(result.conversion.state_dict['cls_head.fc_cls.bias'], state['head.bias'])


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('method, part', [*RECORDED, ('smile', 'student.')])
def test_recorded_weights_in_hugging_face(method, part, tmp_path):
    golden = Golden(method)
    size, state = golden.size, {k: v.float() for k, v in golden.part(part).items()}
    clip = ClipSize(size['frames'], size['img'])
    heads = (size['s'] if part == 'student.' else size.get('vt', size.get('t')))[2]
    source = 'mvd' if (method, part) == ('mvd', 'student.') else 'videomae'
    options = Options(source_clip=clip, num_heads=heads, custom_code=source == 'mvd')
    result = convert(state, source, 'huggingface', options)
    write_folder(result.folder, tmp_path, {})
    frames = golden['clip'].transpose(1, 2)
    found = huggingface_outputs(tmp_path, frames, trust_code=source == 'mvd')['tokens']
    close(found, mmaction_outputs(result.common, clip, heads, frames)['tokens'])


# ---------------------------------------------------------------------- whole pre-trainings

# method: source, prefixes of what the result has beside the encoder
WHOLE = {
    'videomae': ('videomae', {'decoders.pixel'}),
    'videomaev2': ('videomae', {'decoders.pixel'}),
    'smile': ('videomae', {'decoders.img'}),
    'amd': ('videomae', {'decoders.pixel', 'terms.align'}),
    'mvd': ('mvd', {'decoders.img', 'decoders.vid'}),
}


def whole(method, state):
    source, frames = WHOLE[method][0], FILES[method][1]
    return convert(state, source, 'student', Options(source_clip=ClipSize(frames, 32))).conversion


@pytest.mark.parametrize('method', WHOLE)
def test_a_whole_pretraining_is_read(method):
    """test_*_golden.py have the losses of the model with these weights."""
    state = {f'module.{key}': value for key, value in weights(method).items()}
    result = whole(method, state)
    assert {*result.renamed, *result.dropped} == state.keys()
    found = {'.'.join(key.split('.')[:2]) for key in result.state_dict if 'backbone' not in key}
    assert found == WHOLE[method][1]
    assert 'backbone.pos_embed' in result.state_dict


@pytest.mark.parametrize('method', WHOLE)
def test_a_decoder_that_is_not_whole_is_refused(method):
    state = weights(method)
    decoder = [key for key, new in whole(method, state).renamed.items() if 'decoders.' in new]
    assert len(decoder) > 15
    for lost in decoder:
        if not (lost.startswith('down_') and lost.endswith('.bias')):  # VideoMAE's has none
            with pytest.raises(ValueError, match='(lack|missing)'):
                whole(method, {key: value for key, value in state.items() if key != lost})


def test_an_encoder_alone_is_no_pretraining():
    with pytest.raises(ValueError, match='it has no decoder: convert it --to mmaction'):
        convert(weights('amd_teacher'), 'videomae', 'student', Options(ClipSize(4, 32)))
    with pytest.raises(ValueError, match='no conversion from huggingface to student'):
        convert({}, 'huggingface', 'student')


@pytest.mark.parametrize('source', ['mmaction', 'huggingface'])
def test_wrapped_files_of_the_other_formats(hf_model, source):
    """The same encoder under MMAction2's names and under those of transformers."""
    options = Options(source_clip=ClipSize(4, 32))
    state = hf_model().state_dict()
    plain = convert(state, 'huggingface', 'mmaction', options).conversion.state_dict
    if source == 'mmaction':
        state = {f'backbone.{k.removeprefix("backbone.")}': v for k, v in plain.items()}
    for wrapper in ('module.', 'module._orig_mod.', 'model.', 'backbone.', 'encoder.'):
        wrapped = {wrapper + name: value for name, value in state.items()}
        result = convert(wrapped, source, 'mmaction', options).conversion.state_dict
        assert result.keys() == plain.keys()
        assert all(torch.equal(result[key], value) for key, value in plain.items())


@pytest.mark.parametrize('method', FILES)
def test_two_encoders_in_one_file_are_refused(method):
    state = weights(method)
    with pytest.raises(ValueError, match='of the file are the same weight'):
        converted(method, state | {f'model.{name}': value for name, value in state.items()})


@pytest.mark.parametrize('method', FILES)
@every('wrapper', ['', 'module._orig_mod.'])
def test_what_is_unknown_or_missing_is_named(method, wrapper):
    state = {wrapper + name: value for name, value in weights(method).items()}
    extra = f'{wrapper}teacher.blocks.0.norm1.weight'
    with pytest.raises(ValueError, match=f'unknown key.*{extra}'):
        converted(method, state | {extra: torch.zeros(1)})
    kept = [name for name in converted(method, state).renamed if name.endswith('.bias')]
    for lost in kept:
        with pytest.raises(ValueError, match='(lack|missing).*bias'):
            converted(method, {name: value for name, value in state.items() if name != lost})


def test_a_video_encoder_of_clip_is_no_image_teacher():
    state = weights('smile_image_teacher')
    kernel = 'vision_encoder.conv1.weight'
    state[kernel] = state[kernel].repeat(1, 1, 2, 1, 1)
    with pytest.raises(ValueError, match='its patches span 2 frames'):
        converted('smile_image_teacher', state)


def test_an_unknown_prefix_is_named_with_the_remedy():
    state = {f'student.{name}': value for name, value in weights('amd').items()}
    with pytest.raises(ValueError, match=r"All keys start with 'student\.'.*save them without it"):
        converted('amd', state)
