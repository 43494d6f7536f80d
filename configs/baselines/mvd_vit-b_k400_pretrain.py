# MVD-style baseline: base loss only, one phase at 90 %, SmoothL1 on raw teacher features.
#   tools/dist_train.sh configs/baselines/mvd_vit-b_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = '../pmd/ablations/vit-b_k400_pretrain_base.py'

model = dict(
    image_teacher=dict(target_norm='none', last_norm=False),
    video_teacher=dict(target_norm='none', last_norm=False),
    base=dict(distance='smooth_l1'),
)
