# PMD, ViT-S with ViT-B teachers, Kinetics-400, 4 x 100 epochs.
#   tools/dist_train.sh configs/pmd/vit-s_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(backbone=dict(embed_dims=384, num_heads=6))
