# What every config shares.
default_scope = 'mmaction'
custom_imports = dict(imports=['pmd_mmaction'], allow_failed_imports=False)

default_hooks = dict(
    # Two trainings in one work directory would overwrite each other's files.
    lock=dict(type='WorkDirLockHook'),
    # What contradicts itself is refused before the first step.
    plan=dict(type='PlanCheckHook'),
    # Losses stay on the device until the log reads them.
    runtime_info=dict(type='LossInfoHook'),
    timer=dict(type='IterTimerHook'),
    data_time=dict(type='DataTimeHook'),
    logger=dict(type='LoggerHook', interval=20, ignore_last=False),
    # what the log will not read again is forgotten, else every checkpoint grows
    log_history=dict(type='LogHistoryHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=3),
    # SIGTERM or SIGUSR1: save inside the epoch and stop
    preemption=dict(type='PreemptionHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Training replaces videos that cannot be read; this names, counts and limits them.
    bad_videos=dict(type='BadVideoHook', max_bad_fraction=0.01),
    # A step whose loss or gradient is not finite is skipped; too many in a row end the run.
    non_finite=dict(type='NonFiniteHook', max_in_a_row=10, on_nonfinite='stop'),
)

env_cfg = dict(
    cudnn_benchmark=False,
    # float32 products and convolutions on a GPU round their factors to TF32 (docs/reliability.md)
    tf32=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Seconds until the other ranks give up on one that is gone; saving has to fit in.
    dist_cfg=dict(backend='nccl', timeout=1800),
)
randomness = dict(seed=0, diff_rank_seed=False, deterministic=False)

log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
# scalars.json, and TensorBoard where it is installed. W&B in its place (pip install wandb):
#   --cfg-options visualizer.vis_backends.1.type=WandbVisBackend
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardIfInstalled')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)
log_level = 'INFO'
load_from = None
resume = False
