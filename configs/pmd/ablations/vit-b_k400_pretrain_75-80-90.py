# Ablation, ViT-B, Kinetics-400: three phases, 75, 80 and 90 %.
#   tools/dist_train.sh configs/pmd/ablations/vit-b_k400_pretrain_75-80-90.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = [
    '../../_base_/models/pmd_vit-b.py',
    '../../_base_/datasets/k400_pretrain.py',
    '../../_base_/schedules/pmd_100-100-200e.py',
    '../../_base_/k400_pretrain_runtime.py',
]
