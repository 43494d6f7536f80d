# Ablation, ViT-B, Kinetics-400: DARE with smoothed losses and uniform weights.
#   tools/dist_train.sh configs/pmd/ablations/vit-b_k400_pretrain_smoothing-only.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = '../vit-b_k400_pretrain.py'

model = dict(dare=dict(weighting=False))
