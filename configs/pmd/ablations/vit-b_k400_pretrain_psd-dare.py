# Ablation, ViT-B, Kinetics-400: base, PSD and DARE, four phases.
#   tools/dist_train.sh configs/pmd/ablations/vit-b_k400_pretrain_psd-dare.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = '../vit-b_k400_pretrain.py'

model = dict(clfa=None)
