# VideoMAE, ViT-B, Kinetics-400, 1600 epochs (81.5 by its model zoo). Steps of 2048 clips.
#   tools/dist_train.sh configs/videomae/vit-b_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, four times per step). Time and accuracy: not
# yet run.
_base_ = [
    '../_base_/models/videomae_vit-b.py',
    '../_base_/datasets/k400_pretrain_pillow.py',
    '../_base_/schedules/pmd.py',
]

train_dataloader = dict(
    batch_sampler=dict(type='WholeStepBatchSampler', accumulative_counts=4),
    drop_last=False,  # the batch sampler does
)
optim_wrapper = dict(accumulative_counts=4)
# MMEngine counts the 512 clips of one iteration: 64 of them are 256 of a step.
auto_scale_lr = dict(base_batch_size=64, accumulative_counts=4)
# A warm-up of 40 epochs, and 1600 of the 1601 epochs of VideoMAE's cosine.
default_hooks = dict(
    curriculum=dict(
        phases=[(0.9, 1600)],
        schedule=dict(warmup=0.025, eta_min_ratio=1 / 15, extra_epochs=1),
    )
)
work_dir = 'work_dirs/videomae_vit-b_k400_pretrain'
