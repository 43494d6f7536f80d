"""Every file that docs/extending.md shows, run from a directory outside the package."""

import re
import sys

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.config import Config

from tests.integration import tiny

PAGE = tiny.ROOT / 'docs' / 'extending.md'
FILES = dict(re.findall(r'```python\n# (\w+\.py)[^\n]*\n(.*?)```', PAGE.read_text('utf-8'), re.S))
GRID = dict(img_size=16, patch_size=4, num_frames=4, tubelet_size=2)


@pytest.fixture
def folder(tmp_path, monkeypatch, mmaction_scope):
    """The files, in an empty directory that is the present one."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.replace('/path/to/pmd_mmaction', str(tiny.ROOT)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = dict(MODELS.module_dict)
    yield tmp_path
    for name in FILES:
        sys.modules.pop(name.removesuffix('.py'), None)
    MODELS.module_dict.clear()
    MODELS.module_dict.update(before)


def small(model, sizes):
    """The same model in a size for tests, without checkpoints."""
    model.backbone.update(sizes.student)
    if 'video_teacher' in model:
        model.video_teacher.update(checkpoint=None, **sizes.video_teacher)
    if model.get('image_teacher', {}).get('type') == 'TimmImageTeacher':
        model.image_teacher = dict(type='TimmImageTeacher', **sizes.image_teacher)
    model.decoder.update(embed_dims=28, num_heads=2, depth=1)
    return model


def test_the_page_shows_what_this_file_runs():
    assert set(FILES) == {
        *('centre_masker.py', 'centre.py', 'conv_teacher.py', 'conv.py'),
        *('cosine_term.py', 'direct_alignment.py', 'amd_direct.py'),
    }


def test_the_masker(folder, sizes, random_clips, make_samples, fake_history):
    model = MODELS.build(small(Config.fromfile('centre.py').model, sizes))
    assert type(model.masker).__name__ == 'CentreMasker'
    order = model.masker.order(400, torch.Generator().manual_seed(0))
    hidden = model.masker.view(order, 0.75).masked % 16
    assert hidden.shape == (400, 24)
    counts = hidden.flatten().bincount(minlength=16)
    assert counts[[5, 6, 9, 10]].min() > counts[[0, 3, 12, 15]].max()


def test_the_teacher(folder, sizes, random_clips, fake_history, make_samples, phase):
    model = MODELS.build(small(Config.fromfile('conv.py').model, sizes))
    teacher, clips = model.teachers['img'], random_clips()
    assert not any('teachers' in key for key in model.state_dict())
    layers = []
    x = clips
    for layer in teacher.network:
        x = layer(x).relu()
        layers.append(x.flatten(2).transpose(1, 2))
    expected = F.layer_norm(layers[-1], (32,))
    torch.testing.assert_close(teacher(clips).features, expected, rtol=1e-4, atol=1e-5)
    model.set_phase(phase)
    model.attach_difficulty(fake_history(torch.zeros(4, 2, 32)))
    losses = model.loss(clips[:, None], make_samples(3, 1))
    sum(losses.values()).backward()
    assert {'loss_base_img', 'loss_al_img'} <= set(losses)


def test_the_term(folder, sizes, random_clips):
    import cosine_term  # noqa: F401  (registers it)

    model = MODELS.build(
        dict(
            type='MaskedDistillation',
            backbone=dict(type='MaskedVisionTransformer', use_mean_pooling=False, **sizes.student),
            masker=dict(type='TubeMasker'),
            teachers=dict(
                vid=dict(type='VideoMAETeacher', **sizes.video_teacher),
                pixel=dict(type='PixelTeacher'),
            ),
            decoder=dict(type='FeatureDecoder', embed_dims=28, num_heads=2, depth=1),
            terms=[
                dict(type='CosineTerm', loss_weight=dict(vid=2.0), teachers=['vid']),
                dict(type='PixelTerm'),
            ],
            mask_ratio=0.75,
        )
    )
    clips = random_clips()
    model.seed_masks(0)
    loss = model.loss(clips[:, None], [])['loss_cosine_vid']
    model.seed_masks(0)
    view = model.draw_views(clips)['student']
    tokens = model.backbone.encode(clips, view.visible).tokens
    decoded = model.decoders['vid'](tokens, *view)
    target = model.teachers['vid'](clips).features
    distances = [
        1 - F.cosine_similarity(decoded[b, m], target[b, p], dim=0)
        for b in range(2)
        for m, p in enumerate(view.masked[b].tolist())
    ]
    torch.testing.assert_close(loss, 2 * torch.stack(distances).mean(), rtol=1e-4, atol=1e-5)
    loss.backward()


def test_the_method_equals_the_loop(folder, sizes, random_clips, phase):
    model = _amd(Config.fromfile('amd_direct.py'), sizes.student, sizes.video_teacher)
    clips = random_clips()
    model.set_phase(phase)
    model.seed_masks(0)
    losses = model.loss(clips[:, None], [])
    assert set(losses) == {'loss_pixel', 'loss_direct_vid'}
    model.seed_masks(0)
    views = model.draw_views(clips)
    visible, wide = views['student'].visible, views['teacher'].visible
    student = list(model.backbone.iter_layers(clips, visible))
    teacher = list(model.teachers['vid'].network.iter_layers(clips, wide))
    projections = model.terms['direct'].projections['vid']
    errors = []
    for project, z, t in zip(projections, (student[2], student[5]), (teacher[0], teacher[2])):
        for b in range(2):
            for row, patch in enumerate(visible[b].tolist()):
                seen = t[b, wide[b].tolist().index(patch)]
                errors.append((z[b, row] @ project.weight.T - seen).square().mean())
    torch.testing.assert_close(
        losses['loss_direct_vid'], torch.stack(errors).mean(), rtol=1e-4, atol=1e-5
    )


def _amd(cfg, student, teacher):
    model = cfg.model
    model.backbone.update(student)
    model.teachers.vid.update(checkpoint=None, **teacher)
    model.decoder.update(embed_dims=28, num_heads=2, depth=1)
    model.views.teacher.mask_ratio = 0.5
    return MODELS.build(model)


def test_the_method_trains_through_the_runner(folder, tmp_path_factory):
    clips = tiny.make_clips(tmp_path_factory.mktemp('data') / 'clips')
    cfg, stock = Config.fromfile('amd_direct.py'), tiny.tiny_config(clips, folder / 'run')
    size = dict(embed_dims=48, depth=4, num_heads=3, **tiny.GRID)
    cfg.model.backbone.update(size)
    cfg.model.teachers.vid.update(checkpoint=None, **size)
    cfg.model.decoder.update(embed_dims=48, num_heads=3, depth=1)
    cfg.train_dataloader = stock.train_dataloader
    cfg.default_hooks.curriculum.phases = [(0.8, 1), (0.9, 1)]
    cfg.default_hooks.logger.interval = 1
    cfg.merge_from_dict(dict(work_dir=str(folder / 'run'), log_level='ERROR'))
    runner = tiny.train(cfg)
    assert (runner.epoch, runner.iter) == (2, 6)
    logged = runner.message_hub.log_scalars
    for key in ('loss', 'loss_pixel', 'loss_direct_vid'):
        values = logged[f'train/{key}'].data[0]
        assert len(values) == 6 and torch.tensor(values).isfinite().all()
    assert (folder / 'run' / 'student.pth').is_file()


@pytest.fixture
def phase():
    from pmd_mmaction.functional import Phase

    return Phase(0, 0.75, 0, 1)
