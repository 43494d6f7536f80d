# Ablation, ViT-B, Kinetics-400: base and CLFA, one phase at 90 %.
#   tools/dist_train.sh configs/pmd/ablations/vit-b_k400_pretrain_clfa.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain_90.py'

model = dict(psd=None, dare=None)
