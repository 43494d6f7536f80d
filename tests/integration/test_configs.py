"""Every config that is shipped can be built, and the largest of the demo machine can be run."""

import functools
import resource
import time
from pathlib import Path
from unittest import mock

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from mmengine.registry import HOOKS, init_default_scope
from mmengine.runner import Runner

from pmd_mmaction.functional import PhaseSchedule
from pmd_mmaction.hooks import ProgressivePhaseHook
from pmd_mmaction.models import MaskedVisionTransformer
from pmd_mmaction.teacher_configs import find_teachers
from tests.every import check_every, every
from tests.integration import processes, tiny
from tests.integration.shipped import all_hooks, config_of, epochs_of, schedulers_of

PRETRAINING = [name for name in tiny.SHIPPED if 'probe' not in name and 'finetune' not in name]
METHODS = sorted({Path(name).parts[0] for name in PRETRAINING})
# PMD's schedule, and its baseline's
K400 = [name for name in PRETRAINING if 'k400' in name and name.startswith(('pmd/', 'mvd/'))]
ABLATIONS = [name for name in K400 if 'ablations' in name]
# What the ablations change: phases, terms that are on, teachers.
FOUR = [(0.75, 100), (0.8, 100), (0.85, 100), (0.9, 100)]
ONE = [(0.9, 400)]
PHASES = {
    'base': ONE,
    'dare': ONE,
    'clfa': ONE,
    '90': ONE,
    '75-90': [(0.75, 200), (0.9, 200)],
    '75-80-90': [(0.75, 100), (0.8, 100), (0.9, 200)],
    '75-85-90': [(0.75, 100), (0.85, 100), (0.9, 200)],
}
RATIOS = [row for row in PHASES if row.startswith('75')]  # rows that change nothing else
TERMS = {
    'base': (),
    'dare': ('dare',),
    'clfa': ('clfa',),
    'psd': ('psd',),
    'psd-dare': ('psd', 'dare'),
    'psd-clfa': ('psd', 'clfa'),
}
TEACHERS = {'image-teacher': ['img'], 'video-teacher': ['vid']}
SWITCHES = {'smoothing-only': (0.95, False), 'weighting-only': (1.0, True)}


def _row(name: str) -> str:
    """The row of the ablation that a config is for, or 'main'."""
    return Path(name).stem.rpartition('_')[2] if 'ablations' in name else 'main'


def _config(name: str) -> Config:
    init_default_scope('mmaction')
    cfg = config_of(name)
    for teacher in find_teachers(cfg.model).values():
        if 'checkpoint' in teacher.config:
            teacher.config.checkpoint = None
    return cfg


def _use_clips(cfg: Config, clips: Path, work_dir: Path) -> Config:
    cfg.work_dir = str(work_dir)
    cfg.log_level = 'ERROR'
    cfg.train_dataloader.update(batch_size=1, num_workers=0, persistent_workers=False)
    if cfg.optim_wrapper.get('accumulative_counts', 1) > tiny.CLIPS:
        parts = cfg.train_dataloader.batch_sampler, cfg.optim_wrapper, cfg.auto_scale_lr
        for part in parts:
            part.accumulative_counts = 2
    cfg.train_dataloader.dataset.update(
        ann_file=str(clips / 'train.txt'), data_prefix=dict(video=str(clips))
    )
    tiny.use_objects(cfg, work_dir / 'objects')
    return cfg


def _of_method(names: list[str], method: str) -> list[str]:
    return [name for name in names if Path(name).parts[0] == method]


def _is_stopped(name: str) -> bool:
    """Whether the training stops before the end of its schedule (SMILE's stages)."""
    return 'stage' in name


def _hooks(cfg: Config, kind: str) -> list[dict]:
    return [hook for hook in all_hooks(cfg) if hook['type'] == kind]


def _phases(cfg: Config) -> list[tuple[float, int]]:
    """Mask ratio and epochs of each phase."""
    (hook,) = _hooks(cfg, 'ProgressivePhaseHook')
    return [tuple(phase) for phase in hook['phases']]


# ---------------------------------------------------------------------- every config


def test_there_are_configs():
    assert len(K400) >= 4 and len(PRETRAINING) >= 7
    assert {Path(name).parts[0] for name in tiny.SHIPPED} == set(METHODS)


@pytest.mark.parametrize('method', METHODS)
def test_the_model_is_built(method):
    check_every(_of_method(tiny.SHIPPED, method), _check_model)


def _check_model(name: str) -> None:
    if 'tiny' in name:
        _build_model(name)
        return
    # MMAction2 reads numbers off a tensor when it builds a ViT; weights without content.
    linspace = functools.partial(torch.linspace, device='cpu')
    with (
        mock.patch('torch.linspace', linspace),
        mock.patch.object(MaskedVisionTransformer, 'init_weights'),
        torch.device('meta'),
    ):
        model = _build_model(name)
    expected = dict(s=384, b=768, l=1024, h=1280, g=1408)[Path(name).name.split('vit-')[1][0]]
    assert model.backbone.embed_dims == expected


def _build_model(name: str) -> torch.nn.Module:
    cfg = _config(name).model
    cfg.data_preprocessor.pop('blending', None)  # draws numbers when it is built
    return MODELS.build(cfg)


@pytest.mark.parametrize('method', METHODS)
def test_the_runner_is_built(method, clips, tmp_path):
    """With a model that is small whatever the config, so equal ones but for the model are one."""
    names = _of_method(PRETRAINING, method)
    distinct = {_all_but_the_model(name): name for name in names}.values()
    check_every(distinct, lambda name: _check_runner(name, clips, tmp_path / Path(name).stem))


def _all_but_the_model(name: str) -> str:
    cfg = _config(name)
    cfg.model = cfg.work_dir = None
    return f'{_is_stopped(name)} {cfg.to_dict()}'


def _check_runner(name: str, clips: Path, work_dir: Path) -> None:
    """Hooks, data, optimiser and schedulers."""
    cfg = _use_clips(_config(name), clips, work_dir)
    cfg.model = tiny.tiny_config(clips, work_dir).model
    runner = tiny.build(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    wrapper = runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    assert {group['weight_decay'] for group in wrapper.param_groups} == {0.0, 0.05}
    for hook in runner.hooks:
        if isinstance(hook, ProgressivePhaseHook):
            hook.before_run(runner)
    schedulers = runner.param_schedulers
    if not isinstance(schedulers[0], _ParamScheduler):
        schedulers = runner.build_param_scheduler(schedulers)
    if not _is_stopped(name):
        assert max(s.end for s in schedulers) == runner.max_iters


@every('name', PRETRAINING)
def test_epochs_agree(name):
    cfg = _config(name)
    total = epochs_of(cfg)
    boundaries = {0, total}
    hooks = _hooks(cfg, 'ProgressivePhaseHook')
    if hooks:
        boundaries |= {phase.begin for phase in PhaseSchedule(_phases(cfg)).phases}
    covered = []
    for scheduler in schedulers_of(cfg):
        begin, end = scheduler['begin'], scheduler['end']
        length = end - begin
        if _is_stopped(name):
            end = min(end, total)
            assert length == scheduler.get('T_max', length)
            covered += range(begin, end)
            continue
        longer = 0  # a cosine may go on after the run
        if scheduler['type'] == 'CosineAnnealingLR' and hooks and hooks[0]['schedule']:
            longer = hooks[0]['schedule'].get('extra_epochs', 0)
        assert scheduler.get('T_max', length + longer) == length + longer
        assert not any(begin < epoch < end for epoch in boundaries)
        covered += range(begin, end)
    assert sorted(covered) == list(range(total)), 'one scheduler in each epoch'


@every('name', PRETRAINING)
def test_the_hooks_fit_the_model(name):
    cfg = _config(name)
    assert len(_hooks(cfg, 'StepSeedHook')) == 1
    assert len(_hooks(cfg, 'ProgressivePhaseHook')) == ('mask_ratio' not in cfg.model)
    if cfg.model.get('dare') is not None:  # otherwise the hook does nothing
        assert len(_hooks(cfg, 'DAREHook')) == 1
    assert cfg.default_hooks.checkpoint.max_keep_ckpts >= 2
    steps = cfg.train_dataloader.dataset.pipeline
    assert steps[0].type == 'SeedAugmentation' and 'sample_idx' in steps[-1].meta_keys


@every('name', [name for name in K400 if name.startswith('pmd')])
def test_the_curriculum_of_the_paper(name):
    """In passes of the student: several masks of a clip share an epoch."""
    cfg = _config(name)
    found, masks = _phases(cfg), cfg.model.get('num_masks', 1)
    assert [(r, masks * n) for r, n in found] == PHASES.get(_row(name), FOUR)
    assert [masks * hook['stage_epochs'] for hook in _hooks(cfg, 'DAREHook')] == [32]
    warm_up = [s['end'] - s['begin'] for s in schedulers_of(cfg) if s['type'] == 'LinearLR']
    assert warm_up == [epochs // 10 for _, epochs in found]
    steps = cfg.optim_wrapper.get('accumulative_counts', 1)
    assert steps == cfg.auto_scale_lr.get('accumulative_counts', 1)
    assert cfg.auto_scale_lr.enable and cfg.auto_scale_lr.base_batch_size * steps * masks == 256
    assert cfg.optim_wrapper.optimizer.lr == 1.5e-4


@every('name', K400)
def test_every_phase_ends_with_a_checkpoint(name):
    cfg = _config(name)
    schedule = PhaseSchedule(_phases(cfg))
    assert cfg.default_hooks.checkpoint.interval == 5
    assert [phase.end % 5 for phase in schedule.phases] == [0] * len(schedule.phases)


# ---------------------------------------------------------------------- ablations


def test_every_row_of_the_ablations_has_a_config():
    assert {_row(name) for name in ABLATIONS} == {*PHASES, *TERMS, *TEACHERS, *SWITCHES}


@every('name', ABLATIONS)
def test_a_row_changes_what_it_says_and_nothing_else(name):
    row, cfg, main = _row(name), _config(name), _config('pmd/vit-b_k400_pretrain.py')
    on = {term for term in ('psd', 'dare', 'clfa') if cfg.model.get(term) is not None}
    assert on == set(TERMS.get(row, ('psd', 'dare', 'clfa')))
    teachers = dict(img='image_teacher', vid='video_teacher')
    present = [key for key, part in teachers.items() if cfg.model.get(part) is not None]
    assert present == TEACHERS.get(row, ['img', 'vid'])
    if 'dare' in on:
        dare = cfg.model.dare
        assert (dare.alpha, dare.get('weighting', True)) == SWITCHES.get(row, (0.95, True))
    for key in ('train_dataloader', 'optim_wrapper', 'auto_scale_lr'):
        assert cfg[key] == main[key]
    others = {key: hook for key, hook in cfg.default_hooks.items() if key != 'curriculum'}
    assert others == {key: main.default_hooks[key] for key in others}
    assert epochs_of(cfg) == 400
    for key in ('backbone', 'decoder', 'masker', 'base'):
        assert cfg.model[key] == main.model[key]


@pytest.mark.parametrize('name', [name for name in ABLATIONS if _row(name) not in RATIOS])
def test_a_row_starts(name, clips, tmp_path):
    """Its terms, teachers and phases, on a small model: one epoch for each phase."""
    cfg = _config(name)
    ratios = [ratio for ratio, _ in _phases(cfg)]
    small = tiny.tiny_config(clips, tmp_path, ratios=ratios, epochs=2)
    for part in ('psd', 'dare', 'clfa', 'image_teacher', 'video_teacher'):
        if cfg.model.get(part) is None:
            small.model[part] = None
        elif 'teacher' not in part:
            small.model[part] = cfg.model[part]
    small.custom_hooks.append(dict(type='Watch'))
    steps = tiny.hook_of(tiny.train(small), tiny.Watch).steps
    row = _row(name)
    teachers, terms = TEACHERS.get(row, ['img', 'vid']), TERMS.get(row, ('psd', 'dare', 'clfa'))
    short = dict(psd='pg', dare='df', clfa='al')
    keys = {f'loss_{x}_{t}' for x in ['base', *(short[term] for term in terms)] for t in teachers}
    assert steps[-1]['losses'].keys() == keys | {'loss'}
    assert {step['phase'].mask_ratio for step in steps} == set(ratios)
    if 'psd' in terms:
        later = [step['losses'][f'loss_pg_{teachers[0]}'] for step in steps if step['phase'].index]
        assert all(value > 0 for value in later)


@every('name', PRETRAINING)
def test_the_pipeline_gives_what_the_backbone_takes(name, clips, tmp_path):
    cfg = _use_clips(_config(name), clips, tmp_path / name)
    dataset = Runner.build_dataloader(cfg.train_dataloader).dataset
    found, model = dataset[3], cfg.model.backbone
    sample = found[-1] if isinstance(found, list) else found  # several clips of a video
    size = (1, 3, model.num_frames, model.img_size, model.img_size)
    assert tuple(sample['inputs'].shape) == size
    assert sample['inputs'].dtype == torch.uint8  # normalised on the device
    assert sample['data_samples'].sample_idx == 3


@every('name', [name for name in PRETRAINING if name.startswith('smile/') and 'k400' in name])
def test_smile_trains_on_the_pixels_of_its_code(name):
    steps = _config(name).train_dataloader.dataset.pipeline
    resizes = [step.backend for step in steps if step.type == 'AntialiasedResize']
    assert resizes == ['pillow']


# ---------------------------------------------------------------------- one real step


@HOOKS.register_module(force=True)
class OneStep(Hook):
    """Ends the run after one iteration and reports time, memory and losses."""

    priority = 'LOWEST'

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.start = time.perf_counter()
        self.before = tiny.snapshot(runner.model)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        seconds = time.perf_counter() - self.start
        after = tiny.snapshot(runner.model)
        moved = [name for name in after if not torch.equal(after[name], self.before[name])]
        trained = len(list(runner.model.parameters()))
        states = len(runner.optim_wrapper.optimizer.state)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        losses = {key: value.item() for key, value in outputs.items()}
        torch.save(
            dict(
                seconds=seconds,
                gib=peak,
                losses=losses,
                moved=moved,
                trained=trained,
                states=states,
            ),
            Path(runner.work_dir) / 'report.pth',
        )
        raise KeyboardInterrupt


def _one_step(name: str, clips: Path, work_dir: Path) -> None:
    cfg = _use_clips(_config(name), clips, work_dir)
    cfg.train_dataloader.pop('batch_sampler', None)  # a step of one iteration
    cfg.optim_wrapper.accumulative_counts = 1
    cfg.auto_scale_lr.enable = False
    cfg.load_from = None  # SMILE's first stage
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='OneStep')]
    try:
        tiny.train(cfg)
    except KeyboardInterrupt:
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    'name',
    [
        *(
            f'{m}/vit-b_k400_pretrain'
            for m in ('pmd', 'mvd', 'videomae', 'videomaev2', 'amd', 'dmae')
        ),
        'mvd/vit-b_k400_pretrain_vit-l-teachers',
        'smile/vit-b_k400_pretrain_600e_stage1',
        'smile/vit-b_k400_pretrain_600e_stage2',
    ],
)
def test_one_step_at_full_size(name, clips, tmp_path):
    name = f'{name}.py'
    processes.run(_one_step, tmp_path / 'log', name, clips, tmp_path, timeout=900)
    report = tiny.read_checkpoint(tmp_path / 'report.pth')
    print({key: report[key] for key in ('seconds', 'gib', 'losses')})
    losses = {key: x for key, x in report['losses'].items() if key.startswith('loss')}
    assert losses and all(0 <= value < 100 for value in losses.values())
    assert report['states'] == report['trained'] > 150
    # The first step of the warm-up is tiny: it shows where weights start from zero.
    heads = {key for key in report['moved'] if key.startswith('decoders.') and '.head.' in key}
    assert heads and 'backbone.patch_embed.projection.bias' in report['moved']
    assert report['gib'] < 12


@every('name', [name for name in tiny.SHIPPED if 'probe' not in name])
def test_every_training_skips_steps_that_are_not_finite(name):
    cfg = config_of(name)
    hook = HOOKS.build(cfg.default_hooks.non_finite)
    assert (hook.max_in_a_row, hook.on_nonfinite) == (10, 'stop')
