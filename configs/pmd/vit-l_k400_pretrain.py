# PMD, ViT-L with ViT-L teachers, Kinetics-400, 4 x 100 epochs.
#   tools/dist_train.sh configs/pmd/vit-l_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (16 clips each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain.py'

vit_l = dict(embed_dims=1024, depth=24, num_heads=16)
model = dict(
    backbone=vit_l,
    image_teacher=dict(
        model_name='vit_large_patch16_224.mae',
        checkpoint='data/teachers/mae_pretrain_vit_large.pth',
    ),
    video_teacher=dict(checkpoint='data/teachers/videomae_vit-l_k400_pretrain.pth', **vit_l),
    decoder=dict(embed_dims=512, depth=4),
)
train_dataloader = dict(batch_size=16)
