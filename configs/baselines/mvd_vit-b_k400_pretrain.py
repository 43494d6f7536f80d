# MVD-style baseline: base loss only, one phase at 90 %, SmoothL1 on raw teacher features.
#   tools/dist_train.sh configs/baselines/mvd_vit-b_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = '../pmd/vit-b_k400_pretrain.py'

model = dict(
    image_teacher=dict(target_norm='none', last_norm=False),
    video_teacher=dict(target_norm='none', last_norm=False),
    base=dict(distance='smooth_l1'),
    psd=None,
    dare=None,
    clfa=None,
)
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='ProgressivePhaseHook', phases=[dict(mask_ratio=0.9, epochs=400)]),
]
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        begin=0,
        end=40,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=2 / 3,
        begin=40,
        end=400,
        T_max=360,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
