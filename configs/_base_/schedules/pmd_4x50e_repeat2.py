# As many clips as pmd_4x100e.py where an epoch sees each video twice: half of all its epochs.
# Of a video's two clips in an iteration, the difficulty table takes the mean.
_base_ = './pmd_4x100e.py'

ratios = (0.75, 0.80, 0.85, 0.90)
epochs = 50
warmup = 5

custom_hooks = [
    dict(type='StepSeedHook'),
    dict(
        type='ProgressivePhaseHook',
        phases=[dict(mask_ratio=ratio, epochs=epochs) for ratio in ratios],
    ),
    dict(type='DAREHook', stage_epochs=16),
]
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
# MMEngine counts videos: 128 of them are the 256 clips of the base rate.
auto_scale_lr = dict(base_batch_size=128)
train_cfg = dict(max_epochs=epochs * len(ratios))
