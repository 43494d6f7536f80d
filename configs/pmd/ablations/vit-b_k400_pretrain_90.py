# Ablation, ViT-B, Kinetics-400: one phase at 90 %, DARE and CLFA.
#   tools/dist_train.sh configs/pmd/ablations/vit-b_k400_pretrain_90.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = '../vit-b_k400_pretrain.py'

default_hooks = dict(curriculum=dict(phases=[(0.90, 400)]))
