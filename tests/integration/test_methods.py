"""The methods beside PMD on the demo clips: training, result, pictures, report."""

import json
import re

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from pmd_mmaction.evaluation import compute_features, load_frozen
from pmd_mmaction.functional import Phase, object_tokens
from pmd_mmaction.report import Run, write_report
from pmd_mmaction.teacher_configs import find_teachers
from tests.integration import tiny
from tools import doctor, visualize_pretraining

EPOCHS = 2
LOSSES = {
    'mvd': {'loss_base_img', 'loss_base_vid'},
    'videomae': {'loss_pixel'},
    'videomaev2': {'loss_pixel'},
    'amd': {'loss_pixel', 'loss_align_direct_vid', 'loss_align_generation_vid'},
    'smile': {'loss_base_img'},
    'dmae': {'loss_pixel', 'loss_align_vid'},
}
EXPLAINED = {
    'mvd': ('img', 'vid'),
    'videomae': ('pixel',),
    'videomaev2': ('pixel',),
    'amd': ('pixel', 'vid'),
    'smile': ('img',),
    'dmae': ('pixel',),
}
METHODS = sorted(LOSSES)


def demo_config(method, clips, work_dir):
    """The demo config of a method, for two epochs, without its teachers' files."""
    init_default_scope('mmaction')
    cfg = Config.fromfile(tiny.CONFIGS / method / 'vit-tiny_demo_pretrain.py')
    for teacher in find_teachers(cfg.model).values():
        if 'checkpoint' in teacher.config:
            teacher.config.checkpoint = None
    cfg.train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False)
    cfg.train_dataloader.dataset.update(
        ann_file=str(clips / 'train.txt'), data_prefix=dict(video=str(clips))
    )
    tiny.use_objects(cfg, work_dir / 'objects')
    cfg.val_dataloader.update(batch_size=5, num_workers=0, persistent_workers=False)
    for dataset, split in zip(cfg.val_dataloader.dataset.datasets, ('train', 'val')):
        dataset.update(ann_file=str(clips / f'{split}.txt'), data_prefix=dict(video=str(clips)))
    cfg.val_evaluator.k = 3
    cfg.train_cfg.val_interval = EPOCHS
    cfg.default_hooks.curriculum.phases = [(cfg.default_hooks.curriculum.phases[0][0], EPOCHS)]
    cfg.default_hooks.checkpoint.interval = cfg.default_hooks.logger.interval = 1
    cfg.custom_hooks = [dict(type='Watch')]
    cfg.work_dir, cfg.log_level = str(work_dir), 'ERROR'
    return cfg


@pytest.fixture(scope='module', params=METHODS)
def trained(request, clips, tmp_path_factory):
    """Method, config and Runner after two epochs."""
    work_dir = tmp_path_factory.mktemp(request.param)
    cfg = demo_config(request.param, clips, work_dir)
    return request.param, cfg, tiny.train(cfg)


def test_two_epochs(trained):
    method, _, runner = trained
    steps = tiny.hook_of(runner, tiny.Watch).steps
    assert len(steps) == EPOCHS * tiny.CLIPS // 4
    for step in steps:
        losses = {key for key in step['losses'] if not key.startswith('explained')}
        assert losses == LOSSES[method] | {'loss'}
        assert all(np.isfinite(float(value)) for value in step['losses'].values())


def test_the_student_is_the_result(trained):
    method, cfg, runner = trained
    student = tiny.read_checkpoint(tiny.Path(runner.work_dir) / 'student.pth')['state_dict']
    fresh = MODELS.build(cfg.model)
    own = {k for k in fresh.state_dict() if k.startswith(('backbone.', 'decoders.'))}
    assert student.keys() == own
    assert not torch.equal(
        student['backbone.blocks.0.attn.qkv.weight'], fresh.backbone.blocks[0].attn.qkv.weight
    )


def test_the_student_gives_features(trained):
    _, cfg, runner = trained
    model = load_frozen(cfg, str(tiny.Path(runner.work_dir) / 'student.pth'), 'cpu')
    side = cfg.model.backbone.img_size
    clips = torch.randn(2, 1, 3, cfg.model.backbone.num_frames, side, side)
    features = compute_features(model, clips)
    assert features.shape == (2, cfg.model.backbone.embed_dims)
    tokens = compute_features(model, clips, per_patch=True)
    torch.testing.assert_close(tokens.mean(2)[:, 0], features)


def test_pictures(trained, tmp_path):
    _, cfg, runner = trained
    cfg.dump(tmp_path / 'config.py')
    work_dir, out = runner.work_dir, tmp_path / 'pictures'
    visualize_pretraining.main([str(tmp_path / 'config.py'), work_dir, '--out', str(out)])
    assert {path.name for path in out.iterdir()} == {'masks.png', 'curves.png', 'health.png'}


def test_the_report_has_every_section(trained, tmp_path):
    method, _, runner = trained
    text = write_report(Run.open(runner.work_dir), tmp_path / 'report.html').read_text()
    lacking = re.findall(r'<p class="missing">(.*?)</p>', text)
    assert len(lacking) == 1 and lacking[0].startswith('no difficulty table: the method has none')
    keys = {key for key in Run.open(runner.work_dir).scalars if 'explained' in key}
    held_out = [''] if method == 'smile' else ['', 'held_out_']  # no objects in validation clips
    assert {key for key in keys if 'place' not in key} == {
        f'{prefix}explained_{name}' for prefix in held_out for name in EXPLAINED[method]
    }


def test_the_doctor_looks_for_every_teachers_file(trained, tmp_path, capsys):
    _, cfg, _ = trained
    cfg = cfg.copy()
    teachers = {n: t for n, t in find_teachers(cfg.model).items() if 'checkpoint' in t.config}
    for name, teacher in teachers.items():
        teacher.config.checkpoint = str(tmp_path / f'no_{name}.pth')
    cfg.dump(tmp_path / 'config.py')
    assert doctor.main([str(tmp_path / 'config.py'), '--json']) == bool(teachers)
    findings = {f['subject']: f for f in json.loads(capsys.readouterr().out)}
    errors = {subject for subject, finding in findings.items() if finding['level'] == 'error'}
    assert errors == {f'{teacher.argument} file' for teacher in teachers.values()}
    assert cfg.model.type in findings['model']['found']


def test_a_second_stage_starts_from_the_first(clips, tmp_path):
    first = tiny.train(demo_config('smile', clips, tmp_path / 'first'))
    cfg = demo_config('smile', clips, tmp_path / 'second')
    cfg.load_from = str(tmp_path / 'first' / 'student.pth')
    cfg.model.masker = dict(type='TubeMasker')
    steps = cfg.train_dataloader.dataset.pipeline
    cfg.train_dataloader.dataset.pipeline = [s for s in steps if s.type != 'PasteMovingObjects']
    cfg.train_dataloader.dataset.pipeline[-1].meta_keys = ('img_shape', 'sample_idx')
    cfg.optim_wrapper.optimizer.lr = 0.0
    second = tiny.train(cfg)
    for one, other in zip(first.model.parameters(), second.model.parameters()):
        assert torch.equal(one, other)


# --- the configs of Kinetics-400 ---


@pytest.mark.parametrize('size, epochs', [('b', '600'), ('b', '1200'), ('s', '600')])
def test_smiles_stages_are_chained(size, epochs):
    one, two = (
        Config.fromfile(tiny.CONFIGS / f'smile/vit-{size}_k400_pretrain_{epochs}e_stage{i}.py')
        for i in (1, 2)
    )
    assert two.load_from == f'{one.work_dir}/student.pth' and one.load_from is None
    lengths = [cfg.default_hooks.curriculum.phases[0][1] for cfg in (one, two)]
    assert 2 * sum(lengths) == int(epochs)  # two masks count twice
    maskers = [cfg.model.masker.type for cfg in (one, two)]
    assert maskers == ['ObjectTubeMasker', 'TubeMasker']
    kinds = [[s.type for s in cfg.train_dataloader.dataset.pipeline] for cfg in (one, two)]
    assert [kind for kind in kinds[0] if kind not in kinds[1]] == ['PasteMovingObjects']
    assert one.model.backbone == two.model.backbone


def small(cfg, sizes):
    """A PMD config with small parts, whatever its image teacher."""
    cfg.model.backbone.update(sizes.student)
    cfg.model.video_teacher.update(checkpoint=None, **sizes.video_teacher)
    cfg.model.decoder.update(embed_dims=28, depth=1, num_heads=2)
    return cfg.model


@pytest.mark.parametrize('teacher', ['clip', 'dinov2', 'dinov3'])
def test_pmd_learns_from_other_image_teachers(teacher, make_samples, sizes, fake_history):
    cfg = Config.fromfile(tiny.CONFIGS / 'pmd' / f'vit-b_k400_pretrain_{teacher}-teacher.py')
    model_cfg = small(cfg, sizes)
    patch = 7 if teacher == 'dinov2' else 4
    kwargs = dict(embed_dim=32, depth=3, num_heads=2, patch_size=patch, img_size=4 * patch)
    model_cfg.image_teacher.update(
        model_name=model_cfg.image_teacher.model_name.partition('.')[0],
        checkpoint=None,
        num_frames=4,
        model_kwargs=kwargs,
    )
    if teacher == 'dinov2':
        model_cfg.image_teacher.frame_size = 16
    model = MODELS.build(model_cfg)
    model.set_phase(Phase(0, 0.75, 0, 1))
    model.attach_difficulty(fake_history(torch.zeros(2, 2, 32)))
    losses = model.loss(torch.randn(2, 1, 3, 4, 16, 16), make_samples(0, 1))
    terms = ('base', 'pg', 'df', 'al')
    assert losses.keys() == {f'loss_{term}_{name}' for term in terms for name in ('img', 'vid')}
    assert all(value.isfinite() for value in losses.values())


def test_pmd_with_motion_masks_the_objects(clips, tmp_path, sizes):
    cfg = Config.fromfile(tiny.CONFIGS / 'pmd' / 'vit-b_k400_pretrain_motion.py')
    assert cfg.model.type == 'PMDRecognizer'
    pipeline = cfg.train_dataloader.dataset.pipeline
    last = [step.type for step in pipeline][-4:]
    assert last == ['AntialiasedResize', 'PasteMovingObjects', 'FormatShape', 'PackActionInputs']
    small_cfg = tiny.tiny_config(clips, tmp_path, epochs=2)
    small_cfg.model.masker = cfg.model.masker
    own = small_cfg.train_dataloader.dataset.pipeline
    own[-1:] = [own[-1] | dict(meta_keys=cfg.pack.meta_keys)]
    own.insert(-2, cfg.motion)
    tiny.use_objects(small_cfg, tmp_path / 'objects')
    small_cfg.custom_hooks.append(dict(type='Watch'))
    runner = tiny.build(small_cfg)
    seen = []
    draw = type(runner.model).draw_views

    def watch(self, clips, data_samples=()):
        views = draw(self, clips, data_samples)
        boxes = torch.stack([torch.from_numpy(s.object_boxes[0]) for s in data_samples])
        objects = object_tokens(boxes, self.backbone.token_grid, (32, 32))
        shown = torch.zeros_like(objects).scatter(1, views['student'].visible, True)
        seen.append(((objects & shown).sum(), shown.sum(), objects.sum(), objects.numel()))
        return views

    runner.model.draw_views = watch.__get__(runner.model)
    tiny.finish(runner)
    both, shown, objects, patches = (sum(int(x) for x in column) for column in zip(*seen))
    assert 0 < objects < patches
    others = (shown - both) / (patches - objects)
    assert both / objects < 0.5 * others  # visible less often than other patches
