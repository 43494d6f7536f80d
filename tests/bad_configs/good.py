"""Good configs of all components, to be spoilt, and what must follow."""

import copy
import re
from types import SimpleNamespace

import pytest
from mmaction.registry import DATA_SAMPLERS, DATASETS, HOOKS, LOOPS, METRICS, MODELS, TRANSFORMS
from torch.utils.data import DataLoader, SequentialSampler

from tests.conftest import IMAGE_TEACHER, STUDENT, VIDEO_TEACHER

PHASES = [dict(mask_ratio=0.75, epochs=2), dict(mask_ratio=0.9, epochs=2)]
PMD = dict(
    type='PMDRecognizer',
    backbone=dict(type='MaskedVisionTransformer', use_mean_pooling=False, **STUDENT),
    image_teacher=dict(type='TimmImageTeacher', **IMAGE_TEACHER),
    video_teacher=dict(type='VideoMAETeacher', **VIDEO_TEACHER),
    decoder=dict(type='FeatureDecoder', embed_dims=28, num_heads=2, depth=1),
    masker=dict(type='TubeMasker'),
    data_preprocessor=dict(
        type='ClipPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
    base=dict(),
    psd=dict(),
    dare=dict(),
    clfa=dict(type='CLFATerm'),
)
PARTS = dict(
    type='MaskedDistillation',
    teachers=dict(img=PMD['image_teacher'], vid=PMD['video_teacher']),
    terms=[dict(type='BaseTerm')],
    mask_ratio=0.75,
    **{key: PMD[key] for key in ('backbone', 'decoder', 'masker', 'data_preprocessor')},
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
    'parts': (MODELS, PARTS),
    'mae': (MODELS, MAE),
    'backbone': (MODELS, PMD['backbone']),
    'image_teacher': (MODELS, PMD['image_teacher']),
    'video_teacher': (MODELS, PMD['video_teacher']),
    'decoder': (MODELS, dict(PMD['decoder'], in_dims=24, out_dims=8, token_grid=(2, 4, 4))),
    'clfa': (
        MODELS,
        dict(
            PMD['clfa'],
            student_dims=8,
            student_depth=6,
            token_grid=(2, 4, 4),
            teacher_dims=dict(vid=8),
        ),
    ),
    'generator': (MODELS, dict(type='FeatureGenerator', dims=8, token_grid=(2, 4, 4), depth=1)),
    'pairs': (
        MODELS,
        dict(
            type='LayerPairTerm',
            student_dims=8,
            token_grid=(2, 4, 4),
            teacher_dims=dict(vid=8),
            pairs=[(1, 2)],
            generator=dict(depth=1),
        ),
    ),
    'base': (MODELS, dict(type='BaseTerm')),
    'pixel_teacher': (
        MODELS,
        dict(type='PixelTeacher', token_grid=(2, 4, 4), clip_size=(3, 4, 16, 16)),
    ),
    'pixel': (MODELS, dict(type='PixelTerm')),
    'psd': (MODELS, dict(type='PSDTerm')),
    'dare': (MODELS, dict(type='DARETerm')),
    'unit_alignment': (
        MODELS,
        dict(type='UnitAlignmentTerm', student_dims=8, student_depth=4, teacher_dims=dict(vid=8)),
    ),
    'object_tube': (
        MODELS,
        dict(type='ObjectTubeMasker', token_grid=(2, 4, 4), clip_size=(3, 4, 16, 16)),
    ),
    'tube': (MODELS, dict(type='TubeMasker', token_grid=(2, 4, 4))),
    'cell': (MODELS, dict(type='RunningCellMasker', token_grid=(2, 4, 4))),
    'cube': (MODELS, dict(type='CubeMasker', token_grid=(2, 4, 4))),
    'preprocessor': (
        MODELS,
        dict(PMD['data_preprocessor'], blending=dict(type='MixupBlending', num_classes=3)),
    ),
    'head': (MODELS, dict(type='Float32TimeSformerHead', num_classes=3, in_channels=8)),
    'attentive_head': (MODELS, dict(type='AttentiveHead', num_classes=3, in_channels=8)),
    'phase_hook': (HOOKS, dict(type='ProgressivePhaseHook', phases=PHASES)),
    'plan_hook': (HOOKS, dict(type='PlanCheckHook')),
    'dare_hook': (HOOKS, dict(type='DAREHook')),
    'seed_hook': (HOOKS, dict(type='StepSeedHook')),
    'bad_video_hook': (HOOKS, dict(type='BadVideoHook')),
    'data_time_hook': (HOOKS, dict(type='DataTimeHook')),
    'health_hook': (HOOKS, dict(type='HealthHook')),
    'term_balance_hook': (HOOKS, dict(type='TermBalanceHook')),
    'throughput_hook': (HOOKS, dict(type='ThroughputHook')),
    'picture_hook': (HOOKS, dict(type='PhasePictureHook')),
    'loss_info_hook': (HOOKS, dict(type='LossInfoHook')),
    'log_history_hook': (HOOKS, dict(type='LogHistoryHook')),
    'preemption_hook': (HOOKS, dict(type='PreemptionHook')),
    'work_dir_lock_hook': (HOOKS, dict(type='WorkDirLockHook')),
    'non_finite_hook': (HOOKS, dict(type='NonFiniteHook')),
    'compile_hook': (HOOKS, dict(type='CompileHook')),
    'checkpoint_hook': (HOOKS, dict(type='SafeCheckpointHook')),
    'check_backbone_hook': (HOOKS, dict(type='CheckBackboneHook')),
    'check_labels_hook': (HOOKS, dict(type='CheckLabelsHook')),
    'loop': (LOOPS, dict(type='ResumableTrainLoop', max_epochs=3)),
    'whole_steps': (
        DATA_SAMPLERS,
        dict(type='WholeStepBatchSampler', batch_size=2, accumulative_counts=2),
    ),
    'motion': (TRANSFORMS, dict(type='PasteMovingObjects', folder='objects')),
    'mark_split': (TRANSFORMS, dict(type='MarkSplit', split='bank')),
    'seed_augmentation': (TRANSFORMS, dict(type='SeedAugmentation')),
    'antialiased_resize': (TRANSFORMS, dict(type='AntialiasedResize', scale=(4, 4))),
    'note_crop_box': (TRANSFORMS, dict(type='NoteCropBox')),
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
ERRORS = (ValueError, TypeError, KeyError, FileNotFoundError)


def build(name, changes=None):
    """Builds a good config, some of its keys (joined by dots and commas) replaced."""
    registry, cfg = GOOD[name]
    for keys, value in (changes or {}).items():
        cfg = spoil(cfg, keys, value)
    known = {}
    if registry is LOOPS:
        known = dict(
            runner=SimpleNamespace(
                visualizer=SimpleNamespace(), hooks=[], seed=0, _randomness_cfg={}
            ),
            dataloader=DataLoader(range(2)),
        )
    if registry is DATA_SAMPLERS:
        known = dict(sampler=SequentialSampler(range(4)))
    return registry.build(copy.deepcopy(cfg), default_args=known)


def check_refusal(name, keys, value, message):
    """Fails unless a spoilt config is refused with a message."""
    with pytest.raises(ERRORS) as error:
        build(name, {keys: value})
    assert re.search(message, ' '.join(map(str, error.value.args))), error.value


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
