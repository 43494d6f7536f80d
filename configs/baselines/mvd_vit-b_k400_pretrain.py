# MVD, ViT-B with ViT-B teachers: base loss only, one phase at 90 %, SmoothL1 on raw teacher
# features. docs/interpretation.md lists what makes it MVD, point by point.
#   tools/dist_train.sh configs/baselines/mvd_vit-b_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, twice per step: 1024). Time and accuracy: not
# yet run.
_base_ = '../pmd/ablations/vit-b_k400_pretrain_base.py'

model = dict(
    image_teacher=dict(target_norm='none', last_norm=False, position='sincos_2d'),
    video_teacher=dict(target_norm='none', last_norm=False),
    base=dict(distance='smooth_l1'),
)
optim_wrapper = dict(
    accumulative_counts=2,
    # MVD's list of undecayed parameters misses their names
    paramwise_cfg=dict(custom_keys=dict(mask_token=dict(decay_mult=1.0))),
)
