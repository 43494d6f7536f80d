# Ablation, ViT-B, Kinetics-400: two phases.
#   tools/dist_train.sh configs/pmd/ablations/vit-b_k400_pretrain_75-90.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = [
    '../../_base_/models/pmd_vit-b.py',
    '../../_base_/datasets/k400_pretrain.py',
    '../../_base_/schedules/pmd_2x200e.py',
    '../../_base_/k400_pretrain_runtime.py',
]
