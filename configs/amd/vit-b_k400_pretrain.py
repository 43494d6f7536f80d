# AMD, ViT-B with a ViT-L teacher, Kinetics-400, 200 epochs of four clips per video ("800 epochs").
# Steps of 512 videos, 2048 clips. Its model zoo: Kinetics-400 82.2.
#   tools/dist_train.sh configs/amd/vit-b_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, four times per step). Time and accuracy: not
# yet run.
_base_ = [
    '../_base_/models/amd_vit-b.py',
    '../_base_/datasets/k400_pretrain_pillow_repeat4.py',
    '../_base_/schedules/pmd.py',
]

train_dataloader = dict(
    batch_sampler=dict(type='WholeStepBatchSampler', accumulative_counts=4),
    drop_last=False,  # the batch sampler does
)
optim_wrapper = dict(
    accumulative_counts=4, optimizer=dict(lr=1.2e-3), clip_grad=dict(max_norm=0.02)
)
# MMEngine counts the 128 videos of one iteration: 64 of them are 256 of a step.
auto_scale_lr = dict(base_batch_size=64, accumulative_counts=4)
default_hooks = dict(
    curriculum=dict(phases=[(0.9, 200)], schedule=dict(warmup=0.05, eta_min_ratio=1 / 120))
)
work_dir = 'work_dirs/amd_vit-b_k400_pretrain'
