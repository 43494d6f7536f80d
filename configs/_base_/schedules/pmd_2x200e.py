# Two phases, 75 and 90 %, 200 epochs each.
# As in pmd_4x100e.py a tenth of each phase is warm-up.
_base_ = './pmd_4x100e.py'

ratios = (0.75, 0.90)
epochs = (200, 200)
starts = (0, 200)
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(
        type='ProgressivePhaseHook',
        phases=[dict(mask_ratio=r, epochs=n) for r, n in zip(ratios, epochs)],
    ),
    dict(type='DAREHook', stage_epochs=32),
]
param_scheduler = [
    scheduler
    for start, length in zip(starts, epochs)
    for scheduler in (
        dict(
            type='LinearLR',
            start_factor=1e-8,
            begin=start,
            end=start + length // 10,
            by_epoch=True,
            convert_to_iter_based=True,
        ),
        dict(
            type='CosineAnnealingLR',
            eta_min_ratio=2 / 3,
            begin=start + length // 10,
            end=start + length,
            T_max=length - length // 10,
            by_epoch=True,
            convert_to_iter_based=True,
        ),
    )
]
train_cfg = dict(max_epochs=400)
