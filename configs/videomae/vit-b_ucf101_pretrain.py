# VideoMAE, ViT-B, UCF101, 3200 epochs at 75 % (91.3 by its model zoo). Steps of 192 clips.
#   tools/dist_train.sh configs/videomae/vit-b_ucf101_pretrain.py 8 --amp
# Hardware: 8 GPUs of 40 GB assumed (24 clips each). Time and accuracy: not yet run.
_base_ = [
    '../_base_/models/videomae_vit-b.py',
    '../_base_/datasets/ucf101_pretrain.py',
    '../_base_/schedules/pmd.py',
]

train_dataloader = dict(batch_size=24)
optim_wrapper = dict(optimizer=dict(lr=3e-4))
default_hooks = dict(
    curriculum=dict(
        phases=[(0.75, 3200)],
        schedule=dict(warmup=1 / 80, eta_min_ratio=1 / 30, extra_epochs=1),
    ),
    checkpoint=dict(interval=100),
)
work_dir = 'work_dirs/videomae_vit-b_ucf101_pretrain'
