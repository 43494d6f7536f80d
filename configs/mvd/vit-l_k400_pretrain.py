# MVD, ViT-L with ViT-L teachers. Its model zoo: Kinetics-400 86.0, Something-Something V2 76.1.
# Steps of 512 clips.
#   tools/dist_train.sh configs/mvd/vit-l_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (16 clips each, four times per step). Time and accuracy: not
# yet run.
_base_ = './vit-b_k400_pretrain_vit-l-teachers.py'

model = dict(
    backbone=dict(embed_dims=1024, depth=24, num_heads=16),
    decoder=dict(embed_dims=512, depth=4),
)
train_dataloader = dict(batch_size=16, batch_sampler=dict(accumulative_counts=4))
optim_wrapper = dict(accumulative_counts=4)
auto_scale_lr = dict(base_batch_size=64, accumulative_counts=4)
work_dir = 'work_dirs/mvd_vit-l_k400_pretrain'
