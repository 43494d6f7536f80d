# VideoMAE V2, ViT-B, Kinetics-400, 200 epochs of four clips per video ("800 epochs"): VideoMAE that
# decodes half of the patches only (running cells). Steps of 1024 videos, 4096 clips. Its README
# gives no accuracy of it.
#   tools/dist_train.sh configs/videomaev2/vit-b_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, eight times per step). Time and accuracy: not
# yet run.
_base_ = [
    '../_base_/models/videomae_vit-b.py',
    '../_base_/datasets/k400_pretrain_pillow_repeat4.py',
    '../_base_/schedules/pmd.py',
]

model = dict(
    # Visible patches that the cells keep are decoded as well and do not count, as in its code.
    views=dict(
        decode=dict(type='RunningCellMasker', mask_ratio=0.5, whole_clip=True, backward=True)
    )
)
train_dataloader = dict(
    batch_sampler=dict(type='WholeStepBatchSampler', accumulative_counts=8),
    drop_last=False,  # the batch sampler does
)
optim_wrapper = dict(accumulative_counts=8, optimizer=dict(lr=1e-3))
# MMEngine counts the 128 videos of one iteration: 32 of them are 256 of a step.
auto_scale_lr = dict(base_batch_size=32, accumulative_counts=8)
default_hooks = dict(
    curriculum=dict(phases=[(0.9, 200)], schedule=dict(warmup=0.1, eta_min_ratio=0.01))
)
work_dir = 'work_dirs/videomaev2_vit-b_k400_pretrain'
