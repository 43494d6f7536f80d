# PMD, ViT-B, Kinetics-400, 4 x 100 epochs.
#   tools/dist_train.sh configs/pmd/vit-b_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = [
    '../_base_/models/pmd_vit-b.py',
    '../_base_/datasets/k400_pretrain.py',
    '../_base_/schedules/pmd_4x100e.py',
    '../_base_/k400_pretrain_runtime.py',
]
