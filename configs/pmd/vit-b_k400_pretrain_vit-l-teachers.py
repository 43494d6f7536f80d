# PMD, ViT-B with ViT-L teachers, Kinetics-400, 4 x 100 epochs. Nobody has published PMD with them;
# MVD's ViT-B gains 0.7 points on Kinetics-400 and 1.2 on Something-Something V2 from them (its
# README: 82.7 to 83.4, 72.5 to 73.7).
#   tools/dist_train.sh configs/pmd/vit-b_k400_pretrain_vit-l-teachers.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
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
