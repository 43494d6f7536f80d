# VideoMAE V2, ViT-g, 300 epochs of four clips per video ("1200 epochs"), here on Kinetics-400; the
# paper trains on UnlabeledHybrid, 1.35 million clips, which a list of your own may name
# (train_dataloader.dataset.ann_file). Steps of 2048 videos, 8192 clips.
# Its model zoo, from that data: Kinetics-400 87.2, Something-Something V2 77.0.
#   tools/dist_train.sh configs/videomaev2/vit-g_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (16 clips each, 64 times per step). Time and accuracy: not yet
# run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(
    backbone=dict(patch_size=14, embed_dims=1408, depth=40, num_heads=16, mlp_ratio=48 / 11),
    decoder=dict(embed_dims=512, num_heads=8),
)
train_dataloader = dict(batch_size=4, batch_sampler=dict(accumulative_counts=64))
optim_wrapper = dict(accumulative_counts=64, optimizer=dict(lr=6e-4), clip_grad=dict(max_norm=0.02))
# MMEngine counts the 32 videos of one iteration: 4 of them are 256 of a step.
auto_scale_lr = dict(base_batch_size=4, accumulative_counts=64)
default_hooks = dict(curriculum=dict(phases=[(0.9, 300)], schedule=dict(eta_min_ratio=1 / 60)))
work_dir = 'work_dirs/videomaev2_vit-g_k400_pretrain'
