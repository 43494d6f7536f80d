# MVD, ViT-S with ViT-B teachers. Its model zoo: Kinetics-400 80.6, Something-Something V2 70.7.
#   tools/dist_train.sh configs/mvd/vit-s_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, twice per step). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(backbone=dict(embed_dims=384, num_heads=6))
work_dir = 'work_dirs/mvd_vit-s_k400_pretrain'
