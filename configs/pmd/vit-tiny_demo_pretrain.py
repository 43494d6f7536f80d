# The whole curriculum on the embedded clips; `make demo` runs it after its two teachers.
#   python tools/train.py configs/pmd/vit-tiny_demo_pretrain.py
# Hardware: 2 CPU cores.
_base_ = [
    '../_base_/models/pmd_vit-tiny.py',
    '../_base_/datasets/demo_pretrain.py',
    '../_base_/datasets/demo_knn.py',
    '../_base_/schedules/pmd_4x100e.py',
    '../_base_/default_runtime.py',
]

ratios = (0.75, 0.80, 0.85, 0.90)
epochs = 4
warmup = 1
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(
        type='ProgressivePhaseHook',
        phases=[dict(mask_ratio=ratio, epochs=epochs) for ratio in ratios],
    ),
    dict(type='DAREHook', stage_epochs=2),
]
optim_wrapper = dict(optimizer=dict(lr=7e-4), clip_grad=dict(max_norm=3.0))
param_scheduler = [
    scheduler
    for start in range(0, epochs * len(ratios), epochs)
    for scheduler in (
        dict(
            type='LinearLR',
            start_factor=0.01,
            begin=start,
            end=start + warmup,
            by_epoch=True,
            convert_to_iter_based=True,
        ),
        dict(
            type='CosineAnnealingLR',
            eta_min_ratio=0.01,
            begin=start + warmup,
            end=start + epochs,
            T_max=epochs - warmup,
            by_epoch=True,
            convert_to_iter_based=True,
        ),
    )
]
auto_scale_lr = dict(enable=False)
# knn/top1 in the log at the end of each phase
train_cfg = dict(max_epochs=epochs * len(ratios), val_interval=epochs)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=4, max_keep_ckpts=2))
work_dir = 'work_dirs/demo/pmd'
