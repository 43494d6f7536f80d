# PMD, ViT-B, Kinetics-400, two clips of each decoded video: for machines whose GPUs wait for data.
#   tools/dist_train.sh configs/pmd/vit-b_k400_pretrain_repeat2.py 8 --amp
# 4 x 50 epochs, each of which sees every video twice: clips, batches and steps are those of
# vit-b_k400_pretrain.py. The paper does not do this. Time and accuracy: not yet run.
_base_ = [
    '../_base_/models/pmd_vit-b.py',
    '../_base_/datasets/k400_pretrain_repeat2.py',
    '../_base_/schedules/pmd_4x50e_repeat2.py',
    '../_base_/default_runtime.py',
]
