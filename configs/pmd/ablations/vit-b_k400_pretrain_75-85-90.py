# Ablation, ViT-B, Kinetics-400: three phases, 75, 85 and 90 %.
#   tools/dist_train.sh configs/pmd/ablations/vit-b_k400_pretrain_75-85-90.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = '../vit-b_k400_pretrain.py'

default_hooks = dict(curriculum=dict(phases=[(0.75, 100), (0.85, 100), (0.90, 200)]))
