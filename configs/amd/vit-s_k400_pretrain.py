# AMD, ViT-S with a ViT-L teacher, Kinetics-400, 200 epochs of four clips per video ("800 epochs").
# Steps of 512 videos, 2048 clips. Its model zoo: Kinetics-400 80.1.
#   tools/dist_train.sh configs/amd/vit-s_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, four times per step). Time and accuracy: not
# yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(backbone=dict(embed_dims=384, num_heads=6), decoder=dict(embed_dims=192, num_heads=3))
work_dir = 'work_dirs/amd_vit-s_k400_pretrain'
