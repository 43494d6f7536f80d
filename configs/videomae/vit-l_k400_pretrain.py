# VideoMAE, ViT-L, Kinetics-400, 1600 epochs (85.2 by its model zoo): the teacher of AMD, and of the
# configs with ViT-L teachers. Steps of 512 clips.
#   tools/dist_train.sh configs/videomae/vit-l_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (32 clips each, twice per step). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(
    backbone=dict(embed_dims=1024, depth=24, num_heads=16),
    decoder=dict(embed_dims=512, depth=12, num_heads=8),
)
train_dataloader = dict(batch_size=32, batch_sampler=dict(accumulative_counts=2))
optim_wrapper = dict(accumulative_counts=2)
auto_scale_lr = dict(base_batch_size=128, accumulative_counts=2)
work_dir = 'work_dirs/videomae_vit-l_k400_pretrain'
