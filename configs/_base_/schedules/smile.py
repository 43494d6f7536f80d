# SMILE's schedule: 801 epochs with a warm-up of 40, of which a stage runs the first 150 to 400; it
# says how many with default_hooks.curriculum.phases. Rates are for 128 clips of two masks each.
_base_ = './pmd.py'

default_hooks = dict(
    curriculum=dict(phases=[(0.8, 150)], schedule=None),
    checkpoint=dict(interval=5),
)
auto_scale_lr = dict(base_batch_size=128)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-8,
        begin=0,
        end=40,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=1 / 15,
        begin=40,
        end=801,
        T_max=761,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
