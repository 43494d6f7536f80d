# VideoMAE, ViT-H, Kinetics-400, 1600 epochs (86.6 by its model zoo). Steps of 1024 clips.
#   tools/dist_train.sh configs/videomae/vit-h_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (16 clips each, eight times per step). Time and accuracy: not
# yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(
    backbone=dict(embed_dims=1280, depth=32, num_heads=16),
    decoder=dict(embed_dims=640, depth=12, num_heads=8),
)
train_dataloader = dict(batch_size=16, batch_sampler=dict(accumulative_counts=8))
optim_wrapper = dict(accumulative_counts=8)
auto_scale_lr = dict(base_batch_size=32, accumulative_counts=8)
work_dir = 'work_dirs/videomae_vit-h_k400_pretrain'
