# The paper's curriculum: four phases of 100 epochs. Batch arithmetic as MVD: base learning rate
# 1.5e-4 x total batch / 256, minimum 1e-4 x total batch / 256, both scaled by auto_scale_lr.
# A child config that changes the phases sets custom_hooks, param_scheduler and train_cfg together;
# these three names are no knobs.
ratios = (0.75, 0.80, 0.85, 0.90)
epochs = 100
warmup = 10

custom_hooks = [
    dict(type='StepSeedHook'),
    dict(
        type='ProgressivePhaseHook',
        phases=[dict(mask_ratio=ratio, epochs=epochs) for ratio in ratios],
    ),
    dict(type='DAREHook', stage_epochs=32),
]

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
# Every phase has a warm-up, from 0 (MMEngine multiplies rates, so nearly), and a cosine of its own.
param_scheduler = [
    scheduler
    for start in range(0, epochs * len(ratios), epochs)
    for scheduler in (
        dict(
            type='LinearLR',
            start_factor=1e-8,
            begin=start,
            end=start + warmup,
            by_epoch=True,
            convert_to_iter_based=True,
        ),
        dict(
            type='CosineAnnealingLR',
            eta_min_ratio=2 / 3,
            begin=start + warmup,
            end=start + epochs,
            T_max=epochs - warmup,
            by_epoch=True,
            convert_to_iter_based=True,
        ),
    )
]
auto_scale_lr = dict(enable=True, base_batch_size=256)
train_cfg = dict(type='ResumableTrainLoop', max_epochs=epochs * len(ratios))
