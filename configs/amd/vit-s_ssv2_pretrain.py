# AMD, ViT-S with a ViT-L teacher, Something-Something V2, 200 epochs of four clips per video ("800
# epochs"). Steps of 512 videos, 2048 clips. Its model zoo: Something-Something V2 70.2.
#   tools/dist_train.sh configs/amd/vit-s_ssv2_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, four times per step). Time and accuracy: not
# yet run.
_base_ = './vit-b_ssv2_pretrain.py'

model = dict(backbone=dict(embed_dims=384, num_heads=6), decoder=dict(embed_dims=192, num_heads=3))
work_dir = 'work_dirs/amd_vit-s_ssv2_pretrain'
