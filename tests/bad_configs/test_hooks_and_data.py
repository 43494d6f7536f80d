"""Mistakes in the configs of hooks, loop, data and metrics."""

from tests.bad_configs.good import check_refusal
from tests.every import every

NAN = float('nan')
# Good config, keys and value that spoil it, what the message says. Keys are joined by dots.
TABLE = [
    # --- unknown keys: the component (or the part of the config) and the key are named
    ('phase_hook', 'ratios', [0.5], "ProgressivePhaseHook.*argument 'ratios'"),
    (
        'phase_hook',
        'phases.1.ratio',
        0.5,
        "phase 2 has an unknown key 'ratio'; it takes mask_ratio",
    ),
    ('dare_hook', 'tau', 0.5, "DAREHook.*argument 'tau'"),
    ('seed_hook', 'seed', 0, 'StepSeedHook'),
    ('log_history_hook', 'window', 9, 'LogHistoryHook'),
    ('bad_video_hook', 'max_bad', 0.1, "BadVideoHook.*argument 'max_bad'"),
    ('compile_hook', 'backends', 'eager', "unknown key 'backends'; it takes backend, "),
    ('checkpoint_hook', 'intervall', 1, "Hook: options has an unknown key 'intervall'"),
    # --- wrong types
    ('phase_hook', 'phases', dict(mask_ratio=0.9, epochs=2), 'phases is .*it must be a list of'),
    ('phase_hook', 'phases.0', 0.75, 'phase 1 is 0.75; it must be a dict of mask_ratio, epochs'),
    ('phase_hook', 'phases.1.epochs', 2.5, 'phase 2: epochs is 2.5; it must be a whole number'),
    ('phase_hook', 'phases.1.mask_ratio', '90%', "phase 2: mask_ratio is '90%'"),
    ('phase_hook', 'restart', 'optimizer', 'restart is .*; it must be True or False'),
    ('phase_hook', 'prev_student', 1, 'prev_student is 1; it must be a non-empty string'),
    (
        'dare_hook',
        'stage_epochs',
        '32',
        "DAREHook: stage_epochs is '32'; it must be a whole number",
    ),
    ('dare_hook', 'scratch_dir', 1, 'scratch_dir is 1; it must be a non-empty string'),
    ('preemption_hook', 'signals', 'SIGTERM', "must be a list of names such as 'SIGTERM'"),
    # --- words that do not exist
    (
        'dare_hook',
        'dtype',
        'bfloat16',
        r"dtype is 'bfloat16'; it must be one of \('float16', 'floa",
    ),
    ('dare_hook', 'region', 'place', "region is 'place'; it must be one of"),
    ('non_finite_hook', 'on_nonfinite', 'skip', "on_nonfinite is 'skip'; .*'stop', 'rollback'"),
    ('preemption_hook', 'signals', ['TERM'], r"signals is \['TERM'\]"),
    # --- numbers out of bounds
    ('phase_hook', 'phases', [], 'phases is empty; give at least one'),
    ('phase_hook', 'phases.0.mask_ratio', 75, 'phase 1: mask_ratio is 75; .*above 0 and below 1'),
    ('phase_hook', 'phases.0.epochs', 0, 'phase 1: epochs is 0'),
    ('phase_hook', 'phases.1.mask_ratio', 0.5, 'falls from 0.75 to 0.5; .*allow_decreasing=True'),
    ('dare_hook', 'stage_epochs', 0, 'stage_epochs is 0; it must be a whole number, at least 1'),
    ('bad_video_hook', 'max_bad_fraction', 5, 'max_bad_fraction is 5; .*at least 0 and below 1'),
    ('data_time_hook', 'max_share', 20, 'max_share is 20; .*at least 0 and at most 1'),
    ('non_finite_hook', 'max_in_a_row', 0, 'max_in_a_row is 0'),
    ('preemption_hook', 'agree_every', 0, 'agree_every is 0'),
    # --- what CheckpointHook would take, to save nothing or to fail after hours
    ('checkpoint_hook', 'interval', 0, 'SafeCheckpointHook: interval is 0; .*at least 1'),
    ('checkpoint_hook', 'interval', '1', "interval is '1'; it must be a whole number"),
    ('checkpoint_hook', 'max_keep_ckpts', 2.5, 'max_keep_ckpts is 2.5'),
    ('checkpoint_hook', 'save_optimizer', 'no', "save_optimizer is 'no'; it must be True or False"),
    (
        'checkpoint_hook',
        'save_begin',
        -1,
        'save_begin is -1; it must be a whole number, at least 0',
    ),
    (
        'checkpoint_hook',
        'filename_tmpl',
        'last.pth',
        "filename_tmpl is .*must be like 'epoch_{}.pth'",
    ),
    (
        'checkpoint_hook',
        'filename_tmpl',
        'model_{}.pth',
        "filename_tmpl is 'model_{}.pth'.*by which a resumed run finds its checkpoints",
    ),
    ('checkpoint_hook', 'out_dir', 3, 'out_dir is 3; it must be a directory'),
    ('checkpoint_hook', 'out_dir', 's3://a/b', 'out_dir is s3://a/b, but a run is resumed from'),
    ('checkpoint_hook', 'save_best', True, 'save_best is True; it must be a string or a list'),
    ('checkpoint_hook', 'backend_args', 'local', 'backend_args is .*; it must be a dict'),
    # --- signals that cannot be caught, or none
    ('preemption_hook', 'signals', ['SIGKILL'], 'signals is .*of signals that a process can catch'),
    ('preemption_hook', 'signals', [], r'PreemptionHook: signals is \[\]'),
    # --- the loop
    ('loop', 'max_epochs', 0, 'ResumableTrainLoop: max_epochs is 0; .*at least 1'),
    ('loop', 'max_epochs', '400', "max_epochs is '400'; it must be a whole number"),
    ('loop', 'val_interval', 0, 'val_interval is 0'),
    ('loop', 'val_begin', None, 'val_begin is None'),
    ('loop', 'worker_timeout', -1, 'worker_timeout is -1'),
    ('loop', 'max_epoch', 9, "argument 'max_epoch'"),
    # ------ data and evaluation
    # --- unknown keys: the component (or the part of the config) and the key are named
    ('seed_augmentation', 'epoch', 0, 'SeedAugmentation'),
    ('video_decode', 'mode', 'fast', 'VideoDecode'),
    ('list', 'data_prefx', {}, "config has an unknown key 'data_prefx'; it takes ann_file"),
    ('knn', 'neighbours', 5, "KNNMetric.*argument 'neighbours'"),
    # --- wrong types
    ('list', 'allow_outside', 'no', "PathListDataset: allow_outside is 'no'"),
    ('knn', 'k', 20.0, 'KNNMetric: k is 20.0; it must be a whole number, at least 1'),
    # --- words that do not exist
    ('mark_split', 'split', 'train', "MarkSplit: split is 'train'; .*'bank', 'query'"),
    ('video_init', 'reader', 'opencv', "VideoInit: reader is 'opencv'; .*'pyav', 'decord'"),
    ('probe', 'collect_device', 'cuda', "collect_device is 'cuda'; .*'cpu', 'gpu'"),
    # --- numbers out of bounds
    ('require_frames', 'minimum', 0, 'RequireFrames: minimum is 0'),
    ('list', 'max_substitutes', -1, 'max_substitutes is -1'),
    ('repeat', 'num_repeats', 0, 'num_repeats is 0'),
    ('knn', 'temperature', 0, 'temperature is 0; it must be a number above 0'),
    ('probe', 'c', -1, 'LinearProbeMetric: c is -1'),
    # --- parts that do not fit together
    ('repeat', 'pipeline', [], 'repeated augmentation needs VideoInit'),
    # --- what the parents would take and leave unread
    ('list', 'multi_class', True, "PathListDataset: config has an unknown key 'multi_class'"),
    ('list', 'max_refetch', 3, "unknown key 'max_refetch'; it takes .*max_substitutes"),
    (
        'list',
        'data_prefix',
        dict(vidoe='x'),
        "data_prefix has an unknown key 'vidoe'; it takes video",
    ),
    ('list', 'data_prefix', dict(video=None), 'data_prefix.video is None; it must be a folder'),
    ('list', 'pipeline', dict(type='VideoInit'), 'pipeline is .*; it must be a list of dict'),
    ('list', 'ann_file', ['list.txt'], r"PathListDataset: ann_file is \['list.txt'\]"),
    ('list', 'ann_file', '', "ann_file is ''; it must be a non-empty string"),
    ('list', 'test_mode', 'yes', "test_mode is 'yes'; it must be True or False"),
    ('list', 'start_index', -1, 'start_index is -1'),
    ('list', 'data_root', 3, 'data_root is 3; it must be a folder'),
    ('repeat', 'repeats', 2, "RepeatAug.*unknown key 'repeats'; it takes .*num_repeats"),
    (
        'video_init',
        'backend_args',
        'local',
        "VideoInit: backend_args is 'local'; it must be a dict",
    ),
    ('knn', 'prefix', 3, 'KNNMetric: prefix is 3; it must be a non-empty string'),
]


@every('row', TABLE, name=repr)
def test_a_bad_config_is_refused(list_here, mmaction_scope, row):
    check_refusal(*row)
