# VideoMAE, ViT-B, Something-Something V2, 2400 epochs (70.8 by its model zoo). Steps of 2048 clips.
#   tools/dist_train.sh configs/videomae/vit-b_ssv2_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, four times per step). Time and accuracy: not
# yet run.
_base_ = [
    '../_base_/models/videomae_vit-b.py',
    '../_base_/datasets/ssv2_pretrain.py',
    '../_base_/schedules/pmd.py',
]

train_dataloader = dict(
    batch_sampler=dict(type='WholeStepBatchSampler', accumulative_counts=4),
    drop_last=False,  # the batch sampler does
)
optim_wrapper = dict(accumulative_counts=4)
auto_scale_lr = dict(base_batch_size=64, accumulative_counts=4)
default_hooks = dict(
    curriculum=dict(
        phases=[(0.9, 2400)],
        schedule=dict(warmup=1 / 60, eta_min_ratio=1 / 15, extra_epochs=1),
    )
)
work_dir = 'work_dirs/videomae_vit-b_ssv2_pretrain'
