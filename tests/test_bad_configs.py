"""A table of mistakes in configs: each is refused with a message that says where and what is right.

What only a Runner can see (hooks that are missing, phases against schedules) is refused before the
first iteration; the last part of the table trains nothing.
"""

import copy
import re

import pytest
from mmaction.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
from mmengine.registry import init_default_scope

from tests.conftest import IMAGE_TEACHER, STUDENT, VIDEO_TEACHER
from tests.integration import tiny

PHASES = [dict(mask_ratio=0.75, epochs=2), dict(mask_ratio=0.9, epochs=2)]
PMD = dict(
    type='PMDRecognizer',
    backbone=dict(type='MaskedVisionTransformer', use_mean_pooling=False, **STUDENT),
    image_teacher=dict(type='TimmImageTeacher', **IMAGE_TEACHER),
    video_teacher=dict(type='VideoMAETeacher', **VIDEO_TEACHER),
    decoder=dict(type='FeatureDecoder', embed_dims=28, num_heads=2, depth=1),
    masker=dict(type='TubeMasker'),
    base=dict(),
    psd=dict(),
    dare=dict(),
    clfa=dict(type='CLFANeck'),
)
MAE = dict(
    type='MaskedAutoencoder',
    backbone=PMD['backbone'],
    decoder=PMD['decoder'],
    masker=PMD['masker'],
    mask_ratio=0.75,
)
# Good configs by name, and the registry that builds them.
GOOD = {
    'pmd': (MODELS, PMD),
    'mae': (MODELS, MAE),
    'backbone': (MODELS, PMD['backbone']),
    'image_teacher': (MODELS, PMD['image_teacher']),
    'video_teacher': (MODELS, PMD['video_teacher']),
    'decoder': (MODELS, dict(PMD['decoder'], in_dims=24, out_dims=8, token_grid=(2, 4, 4))),
    'clfa': (
        MODELS,
        dict(
            PMD['clfa'], student_dims=8, student_depth=6, num_patches=32, teacher_dims=dict(vid=8)
        ),
    ),
    'tube': (MODELS, dict(type='TubeMasker', token_grid=(2, 4, 4))),
    'cell': (MODELS, dict(type='RunningCellMasker', token_grid=(2, 4, 4))),
    'phase_hook': (HOOKS, dict(type='ProgressivePhaseHook', phases=PHASES)),
    'dare_hook': (HOOKS, dict(type='DAREHook')),
    'seed_hook': (HOOKS, dict(type='StepSeedHook')),
    'bad_video_hook': (HOOKS, dict(type='BadVideoHook')),
    'data_time_hook': (HOOKS, dict(type='DataTimeHook')),
    'preemption_hook': (HOOKS, dict(type='PreemptionHook')),
    'non_finite_hook': (HOOKS, dict(type='NonFiniteHook')),
    'checkpoint_hook': (HOOKS, dict(type='SafeCheckpointHook')),
    'mark_split': (TRANSFORMS, dict(type='MarkSplit', split='bank')),
    'seed_augmentation': (TRANSFORMS, dict(type='SeedAugmentation')),
    'require_frames': (TRANSFORMS, dict(type='RequireFrames', minimum=2)),
    'video_init': (TRANSFORMS, dict(type='VideoInit')),
    'video_decode': (TRANSFORMS, dict(type='VideoDecode')),
    'list': (DATASETS, dict(type='PathListDataset', ann_file='list.txt', pipeline=[])),
    'repeat': (
        DATASETS,
        dict(
            type='RepeatAugPathListDataset',
            ann_file='list.txt',
            pipeline=[
                dict(type='VideoInit'),
                dict(type='SampleFrames', clip_len=2),
                dict(type='VideoDecode'),
            ],
        ),
    ),
    'knn': (METRICS, dict(type='KNNMetric')),
    'probe': (METRICS, dict(type='LinearProbeMetric')),
}
NAN = float('nan')
# Good config, keys and value that spoil it, what the message says. Keys are joined by dots.
TABLE = [
    # --- unknown keys: the component (or the part of the config) and the key are named
    ('pmd', 'lambda_base', 1, r"PMDRecognizer.*unexpected keyword argument 'lambda_base'"),
    ('pmd', 'backbone.drop_path', 0.1, "MaskedVisionTransformer.*argument 'drop_path'"),
    ('pmd', 'image_teacher.img_size', 16, "TimmImageTeacher.*argument 'img_size'"),
    ('pmd', 'image_teacher.model_kwargs.dim', 2, 'TimmImageTeacher: model_kwargs .*dim'),
    ('pmd', 'video_teacher.embed_dim', 8, "VideoMAETeacher.*unknown key 'embed_dim'; it takes .*"),
    ('pmd', 'video_teacher.use_mean_pooling', True, "unknown key 'use_mean_pooling'"),
    ('pmd', 'decoder.heads', 2, "FeatureDecoder.*argument 'heads'"),
    ('pmd', 'masker.cell', 2, "argument 'cell'"),
    ('pmd', 'clfa.tokens', 'all', "CLFANeck.*argument 'tokens'"),
    ('pmd', 'base.weight', 1, "base has an unknown key 'weight'; it takes loss_weight, distance"),
    ('pmd', 'psd.mask', 'same', "psd has an unknown key 'mask'; it takes loss_weight, aux_mask"),
    ('pmd', 'dare.stage_epochs', 32, "dare has an unknown key 'stage_epochs'; it takes .*alpha"),
    ('mae', 'ratio', 0.5, "MaskedAutoencoder.*argument 'ratio'"),
    ('phase_hook', 'ratios', [0.5], "ProgressivePhaseHook.*argument 'ratios'"),
    (
        'phase_hook',
        'phases.1.ratio',
        0.5,
        "phase 2 has an unknown key 'ratio'; it takes mask_ratio",
    ),
    ('dare_hook', 'tau', 0.5, "DAREHook.*argument 'tau'"),
    ('seed_hook', 'seed', 0, 'StepSeedHook'),
    ('bad_video_hook', 'max_bad', 0.1, "BadVideoHook.*argument 'max_bad'"),
    ('checkpoint_hook', 'intervall', 1, "SafeCheckpointHook has no argument \\['intervall'\\]"),
    ('seed_augmentation', 'epoch', 0, 'SeedAugmentation'),
    ('video_decode', 'mode', 'fast', 'VideoDecode'),
    ('list', 'data_prefx', {}, "argument 'data_prefx'"),
    ('knn', 'neighbours', 5, "KNNMetric.*argument 'neighbours'"),
    # --- wrong types
    ('pmd', 'backbone', None, r"PMDRecognizer: backbone is None; it must be dict\(type='...'"),
    ('pmd', 'decoder', [], 'PMDRecognizer: decoder is'),
    ('pmd', 'masker', 'TubeMasker', "masker is 'TubeMasker'; it must be dict"),
    ('pmd', 'video_teacher', 'videomae.pth', 'vid teacher is .*; it must be dict'),
    ('pmd', 'clfa', True, 'clfa is True; it must be dict'),
    ('pmd', 'psd', True, 'psd is True; it must be a dict of loss_weight, aux_mask'),
    (
        'pmd',
        'base.loss_weight',
        '1.0',
        "base: loss_weight is '1.0'; it must be a number at least 0",
    ),
    ('pmd', 'dare.weighting', 'False', "dare: weighting is 'False'; it must be True or False"),
    ('pmd', 'dare.alpha', [0.9], r'dare: alpha is \[0.9\]; it must be a number above 0'),
    ('pmd', 'dare.tau', True, 'dare: tau is True; it must be a number'),
    ('pmd', 'psd.loss_weight', NAN, 'psd: loss_weight is nan'),
    ('pmd', 'clfa.loss_weight', None, 'CLFANeck: loss_weight is None'),
    ('backbone', 'depth', 6.0, 'depth is 6.0; it must be a whole number, at least 1'),
    ('backbone', 'depth', True, 'depth is True; it must be a whole number'),
    ('backbone', 'img_size', '16', "height is '16'; it must be a whole number"),
    ('backbone', 'img_size', (16, 16, 16), r'img_size is .*one number, or \(height, width\)'),
    ('backbone', 'qkv_bias', 'yes', 'qkv_bias is .*; it must be True or False'),
    ('backbone', 'activation_checkpointing', 1, 'activation_checkpointing is 1; .*True or False'),
    ('backbone', 'drop_path_rate', None, 'drop_path_rate is None; it must be a number'),
    ('backbone', 'norm_cfg', 'LN', "norm_cfg is 'LN'; it must be dict"),
    ('decoder', 'num_heads', 2.0, 'FeatureDecoder: num_heads is 2.0'),
    ('image_teacher', 'pretrained', 'no', "pretrained is 'no'; it must be True or False"),
    ('image_teacher', 'last_norm', None, 'TimmImageTeacher: last_norm is None'),
    ('image_teacher', 'data_mean', 0.5, 'data_mean is 0.5; it must be three numbers'),
    ('video_teacher', 'checkpoint', 3, 'VideoMAETeacher: checkpoint is 3; it must be a text'),
    ('phase_hook', 'phases', dict(mask_ratio=0.9, epochs=2), 'phases is .*it must be a list of'),
    ('phase_hook', 'phases.0', 0.75, 'phase 1 is 0.75; it must be a dict of mask_ratio, epochs'),
    ('phase_hook', 'phases.1.epochs', 2.5, 'phase 2: epochs is 2.5; it must be a whole number'),
    ('phase_hook', 'phases.1.mask_ratio', '90%', "phase 2: mask_ratio is '90%'"),
    ('phase_hook', 'restart', 'optimizer', 'restart is .*; it must be True or False'),
    ('phase_hook', 'prev_student', 1, 'prev_student is 1; it must be a text'),
    (
        'dare_hook',
        'stage_epochs',
        '32',
        "DAREHook: stage_epochs is '32'; it must be a whole number",
    ),
    ('dare_hook', 'scratch_dir', 1, 'scratch_dir is 1; it must be a text'),
    ('preemption_hook', 'signals', 'SIGTERM', "must be a list of names as 'SIGTERM'"),
    ('mae', 'normalize_target', 'patch', 'MaskedAutoencoder: normalize_target is'),
    ('mae', 'mask_ratio', NAN, 'mask_ratio is nan; it must be a number'),
    ('list', 'allow_outside', 'no', "PathListDataset: allow_outside is 'no'"),
    ('knn', 'k', 20.0, 'KNNMetric: k is 20.0; it must be a whole number, at least 1'),
    # --- words that do not exist
    (
        'pmd',
        'base.distance',
        'l1',
        r"base: distance is 'l1'; it must be one of \('l2', 'smooth_l1'",
    ),
    ('pmd', 'psd.aux_mask', 'own', r"psd: aux_mask is 'own'; .*\('same', 'nested'\)"),
    (
        'pmd',
        'dare.difficulty_scale',
        'x',
        r"dare: difficulty_scale is 'x'; .*\('balanced', 'paper'",
    ),
    (
        'pmd',
        'clfa.align_tokens',
        'all',
        r"CLFANeck: align_tokens is 'all'; .*\('visible', 'masked'",
    ),
    ('pmd', 'teacher_dtype', 'fp16', "PMDRecognizer: teacher_dtype is 'fp16'; .*'bfloat16'"),
    ('backbone', 'position', 'rotary', "position is 'rotary'; it must be one of .*'sincos_3d'"),
    ('decoder', 'position', 'learnable', "FeatureDecoder: position is 'learnable'"),
    ('video_teacher', 'target_norm', 'l2', "VideoMAETeacher: target_norm is 'l2'; .*'layer_norm'"),
    ('image_teacher', 'normalization', 'clip', "normalization is 'clip'; .*'timm', 'data'"),
    ('image_teacher', 'model_name', 'vit_base_patch61', 'timm .* does not know; timm.list_models'),
    (
        'dare_hook',
        'dtype',
        'bfloat16',
        r"dtype is 'bfloat16'; it must be one of \('float16', 'floa",
    ),
    ('dare_hook', 'region', 'canonical', "region is 'canonical'; it must be one of"),
    ('non_finite_hook', 'on_nonfinite', 'skip', "on_nonfinite is 'skip'; .*'stop', 'rollback'"),
    ('preemption_hook', 'signals', ['TERM'], r"signals is \['TERM'\]"),
    ('mark_split', 'split', 'train', "MarkSplit: split is 'train'; .*'bank', 'query'"),
    ('video_init', 'reader', 'opencv', "VideoInit: reader is 'opencv'; .*'pyav', 'decord'"),
    ('probe', 'collect_device', 'cuda', "collect_device is 'cuda'; .*'cpu', 'gpu'"),
    # --- numbers out of bounds
    ('pmd', 'base.loss_weight', -1, 'base: loss_weight is -1; it must be a number at least 0'),
    ('pmd', 'psd.loss_weight', -0.05, 'psd: loss_weight is -0.05'),
    ('pmd', 'clfa.loss_weight', -1, 'CLFANeck: loss_weight is -1'),
    ('pmd', 'dare.alpha', 0, 'dare: alpha is 0; it must be a number above 0 and at most 1'),
    ('pmd', 'dare.alpha', 1.5, 'dare: alpha is 1.5; it must be a number above 0 and at most 1'),
    ('pmd', 'dare.tau', 0, 'dare: tau is 0; it must be a number above 0'),
    ('backbone', 'depth', 0, 'depth is 0'),
    ('backbone', 'mlp_ratio', 0, 'mlp_ratio is 0; it must be a number above 0'),
    ('backbone', 'drop_path_rate', 1.0, 'drop_path_rate is 1.0; .* at least 0 and below 1'),
    ('image_teacher', 'data_std', (0, 1, 1), r'data_std\[0\] is 0; it must be a number above 0'),
    ('phase_hook', 'phases', [], 'phases is empty; give at least one'),
    ('phase_hook', 'phases.0.mask_ratio', 75, 'phase 1: mask_ratio is 75; .*above 0 and below 1'),
    ('phase_hook', 'phases.0.epochs', 0, 'phase 1: epochs is 0'),
    ('phase_hook', 'phases.1.mask_ratio', 0.5, 'falls from 0.75 to 0.5; .*allow_decreasing=True'),
    ('dare_hook', 'stage_epochs', 0, 'stage_epochs is 0; it must be a whole number, at least 1'),
    ('bad_video_hook', 'max_bad_fraction', 5, 'max_bad_fraction is 5; .*at least 0 and below 1'),
    ('data_time_hook', 'max_share', 20, 'max_share is 20; .*at least 0 and at most 1'),
    ('non_finite_hook', 'max_in_a_row', 0, 'max_in_a_row is 0'),
    ('preemption_hook', 'agree_every', 0, 'agree_every is 0'),
    ('mae', 'mask_ratio', 1.0, 'mask_ratio 1.0 leaves no visible patch .*choose a ratio between'),
    ('mae', 'normalize_eps', 0, 'normalize_eps is 0'),
    ('require_frames', 'minimum', 0, 'RequireFrames: minimum is 0'),
    ('list', 'max_substitutes', -1, 'max_substitutes is -1'),
    ('repeat', 'num_repeats', 0, 'num_repeats is 0'),
    ('knn', 'temperature', 0, 'temperature is 0; it must be a number above 0'),
    ('probe', 'c', -1, 'LinearProbeMetric: c is -1'),
    # --- sizes that do not fit together
    ('backbone', 'img_size', 18, 'height=18 is not a multiple of patch_size=4'),
    ('backbone', 'img_size', (16, 18), 'width=18 is not a multiple of patch_size=4'),
    ('backbone', 'num_frames', 5, 'num_frames=5 is not a multiple of tubelet_size=2'),
    ('backbone', 'num_heads', 5, 'embed_dims=24 is not a multiple of num_heads=5'),
    ('decoder', 'num_heads', 3, 'FeatureDecoder: embed_dims=28 is not a multiple of num_heads=3'),
    ('image_teacher', 'num_frames', 5, 'num_frames=5 is not a multiple of tubelet_size=2'),
    ('cell', 'cell', 5, r'cell=5 does not fit a token grid of \(4, 4\); it must be at most 4'),
    ('tube', 'token_grid', (4, 4), 'token_grid is .*three numbers'),
    ('clfa', 'student_depth', 8, '8 layers .*divisible by 3, or group_sizes .* sum is 8'),
    ('clfa', 'group_sizes', (4, 2, 2), 'group_sizes holds 4; it must be triples'),
    ('clfa', 'group_sizes', [(3, 3, 0)], 'group_sizes: deep is 0'),
    ('pmd', 'video_teacher.depth', 4, 'an encoder of 4 layers has no equal thirds'),
    ('pmd', 'image_teacher.model_kwargs.depth', 5, 'an encoder of 5 layers has no equal thirds'),
    (
        'pmd',
        'video_teacher.num_frames',
        8,
        r'vid teacher .*\(4, 4, 4\), the student of \(2, 4, 4\)',
    ),
    ('pmd', 'image_teacher.model_kwargs.img_size', 32, r'img teacher .*\(2, 8, 8\), the student'),
    # --- parts that do not fit together
    ('pmd', 'image_teacher,video_teacher', None, 'give image_teacher, video_teacher or both'),
    ('pmd', 'base,dare', None, 'base and dare are both off'),
    ('pmd', 'backbone.type', 'VisionTransformer', 'VisionTransformer.*a MaskedVisionTransformer'),
    (
        'pmd',
        'masker',
        dict(type='FeatureDecoder', in_dims=8, out_dims=8),
        'masker is a FeatureDecoder; it must be a TubeMasker, CubeMasker',
    ),
    ('pmd', 'masker.type', 'TubMasker', 'TubMasker is not in the mmaction::model registry'),
    ('image_teacher', 'model_name', 'resnet18', 'model_kwargs is .*which timm refuses: .*ResNet'),
    ('video_teacher', 'checkpoint', 'nowhere.pth', "'nowhere.pth' does not exist; .*model_zoo"),
    ('repeat', 'pipeline', [], 'repeated augmentation needs VideoInit'),
]


def spoil(good, keys, value):
    """A copy of a config in which a setting, or several, are wrong."""
    bad = copy.deepcopy(good)
    for path in keys.split(','):
        *parents, last = path.split('.')
        part = bad
        for key in parents:
            part = part[int(key) if isinstance(part, list) else key]
        part[int(last) if isinstance(part, list) else last] = value
    return bad


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """The data sets' list is in the working directory."""
    init_default_scope('mmaction')
    (tmp_path / 'list.txt').write_text('a.mp4\nb.mp4\n')
    monkeypatch.chdir(tmp_path)


def test_there_are_many():
    rows = [(name, keys, str(value)) for name, keys, value, _ in TABLE]
    assert len(set(rows)) == len(rows) >= 100


@pytest.mark.parametrize('name', GOOD)
def test_the_good_configs_are_good(in_folder, mmaction_scope, name):
    registry, good = GOOD[name]
    registry.build(copy.deepcopy(good))


@pytest.mark.parametrize('name, keys, value, message', TABLE)
def test_a_bad_config_is_refused(in_folder, mmaction_scope, name, keys, value, message):
    registry, good = GOOD[name]
    errors = (ValueError, TypeError, KeyError, FileNotFoundError)
    with pytest.raises(errors) as error:
        registry.build(spoil(good, keys, value))
    assert re.search(message, ' '.join(map(str, error.value.args))), error.value


# ---------------------------------------------------------------------- seen by the Runner


def drop(index):
    """Takes a custom hook away."""
    return lambda cfg: cfg.custom_hooks.pop(index)


def put(keys, value):
    """Changes a setting."""
    return lambda cfg: cfg.merge_from_dict({keys: value})


def forget_index(cfg):
    """The last transform drops ``sample_idx``."""
    cfg.train_dataloader.dataset.pipeline[-1].meta_keys = ('img_shape',)


RUNS = [
    (drop(0), "add dict\\(type='StepSeedHook'\\) to custom_hooks"),
    (drop(1), 'DAREHook needs a ProgressivePhaseHook'),
    (drop(2), "there is no difficulty table: add dict\\(type='DAREHook'\\).* or set dare=None"),
    (put('custom_hooks.2.stage_epochs', 4), 'stage_epochs is 4, but the longest phase has 3'),
    (put('train_cfg.max_epochs', 10), 'the phases have 9 epochs together, but .*max_epochs is 10'),
    (put('custom_hooks.1.phases.0.mask_ratio', 0.01), 'mask_ratio 0.01 leaves no masked patch'),
    (forget_index, 'PackActionInputs in the train pipeline drops sample_idx'),
    (put('optim_wrapper.accumulative_counts', 2), 'no multiple of accumulative_counts=2'),
    (put('custom_hooks.1.prev_student', 'nowhere.pth'), 'nowhere.pth'),
    (put('train_dataloader.dataset.ann_file', 'nowhere.txt'), 'no list file nowhere.txt'),
]


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    return tiny.make_clips(tmp_path_factory.mktemp('clips') / 'demo')


@pytest.mark.parametrize('change, message', RUNS)
def test_a_bad_run_is_refused_before_the_first_iteration(clips, tmp_path, change, message):
    cfg = tiny.tiny_config(clips, tmp_path)
    change(cfg)
    cfg.custom_hooks.append(dict(type='Watch'))
    runner = None
    with pytest.raises((ValueError, FileNotFoundError), match=f'(?s){message}'):
        runner = tiny.build(cfg)
        tiny.finish(runner)
    assert runner is None or tiny.hook_of(runner, tiny.Watch).steps == []
