# MVD, ViT-B with ViT-L teachers: MVD's best ViT-B. Its model zoo reports: Kinetics-400
# 83.4, Something-Something V2 73.7.
#   tools/dist_train.sh configs/mvd/vit-b_k400_pretrain_vit-l-teachers.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, twice per step). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(
    image_teacher=dict(
        model_name='vit_large_patch16_224.mae',
        checkpoint='data/teachers/mae_pretrain_vit_large.pth',
    ),
    video_teacher=dict(
        checkpoint='data/teachers/videomae_vit-l_k400_pretrain.pth',
        embed_dims=1024,
        depth=24,
        num_heads=16,
    ),
)
work_dir = 'work_dirs/mvd_vit-b_k400_pretrain_vit-l-teachers'
