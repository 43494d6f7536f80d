# Ablation, ViT-B, Kinetics-400: DARE with weights from the last loss, unsmoothed.
#   tools/dist_train.sh configs/pmd/ablations/vit-b_k400_pretrain_weighting-only.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = '../vit-b_k400_pretrain.py'

model = dict(dare=dict(alpha=1.0))
