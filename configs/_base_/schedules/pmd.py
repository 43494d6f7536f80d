# The paper's curriculum and the runtime: four phases of 100 epochs. Phases are said once; the
# length of the run and the schedulers follow. Others are one line, here or on the command line:
#   --cfg-options default_hooks.curriculum.phases='[(0.75,50),(0.9,50)]'
# Batch arithmetic as MVD: base learning rate 1.5e-4 x total batch / 256, minimum 1e-4 x total batch
# / 256, both scaled by auto_scale_lr.
_base_ = '../default_runtime.py'

default_hooks = dict(
    # On another number of GPUs a warning tells how to keep steps and learning rate.
    plan=dict(ranks=8),
    step_seed=dict(type='StepSeedHook'),
    curriculum=dict(
        type='ProgressivePhaseHook',
        phases=[(0.75, 100), (0.80, 100), (0.85, 100), (0.90, 100)],  # (mask_ratio, epochs)
        # Every phase has a warm-up of a tenth, from 0 (MMEngine multiplies rates, so nearly), and a
        # cosine of its own.
        schedule=dict(warmup=0.1, start_factor=1e-8, eta_min_ratio=2 / 3),
    ),
    difficulty=dict(type='DAREHook', stage_epochs=32),
    # Explained variance, rank and spread of the features (docs/healthy_run.md).
    health=dict(type='HealthHook', interval=10),
    # Warns when a term of the loss drowns base (docs/healthy_run.md).
    term_balance=dict(type='TermBalanceHook', interval=500),
    # Passes of the student per second, use of the GPU, hours to go (docs/healthy_run.md).
    throughput=dict(type='ThroughputHook'),
    # Masks and difficulty at the end of each phase, where the curves are.
    pictures=dict(type='PhasePictureHook'),
    # A checkpoint and its difficulty table are 4.5 GB and stop all GPUs for five seconds or more,
    # of an epoch that may take 86 (docs/reliability.md). A crash costs five epochs at most, a
    # preemption none (PreemptionHook). Each phase ends with a checkpoint.
    # Where an epoch takes an hour: --cfg-options default_hooks.checkpoint.interval=1
    checkpoint=dict(interval=5),
)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1.5e-4, betas=(0.9, 0.95), weight_decay=0.05),
    constructor='MergedOptimWrapperConstructor',
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={
            '.q_bias': dict(decay_mult=0.0),
            '.v_bias': dict(decay_mult=0.0),
            'pos_embed': dict(decay_mult=0.0),
            'mask_token': dict(decay_mult=0.0),
            'query_token': dict(decay_mult=0.0),
        },
    ),
)
auto_scale_lr = dict(enable=True, base_batch_size=256)
train_cfg = dict(type='ResumableTrainLoop')
