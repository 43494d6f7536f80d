# VideoMAE, ViT-S, Something-Something V2, 2400 epochs (66.8 by its model zoo). Steps of 1024 clips,
# as its script's comment says (32 GPUs); the script's command has 64, which would be 2048.
#   tools/dist_train.sh configs/videomae/vit-s_ssv2_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, twice per step). Time and accuracy: not yet run.
_base_ = './vit-b_ssv2_pretrain.py'

model = dict(backbone=dict(embed_dims=384, num_heads=6), decoder=dict(embed_dims=192, num_heads=3))
train_dataloader = dict(batch_sampler=dict(accumulative_counts=2))
optim_wrapper = dict(accumulative_counts=2)
auto_scale_lr = dict(base_batch_size=128, accumulative_counts=2)
work_dir = 'work_dirs/videomae_vit-s_ssv2_pretrain'
