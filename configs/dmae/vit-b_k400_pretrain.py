# DMAE, a method for images, carried over to clips: ViT-B, Kinetics-400, 100 epochs. The teacher is
# VideoMAE's ViT-L instead of MAE's, masks are tubes. DMAE's are: the same 75 % masked for both,
# batches of 4096, one aligned layer, plain pixels. The rest: README.md.
#   tools/dist_train.sh configs/dmae/vit-b_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, eight times per step). Time and accuracy: not
# yet run, and not in the paper.
_base_ = [
    '../_base_/models/dmae_vit-b.py',
    '../_base_/datasets/k400_pretrain.py',
    '../_base_/schedules/pmd.py',
]

train_dataloader = dict(
    batch_sampler=dict(type='WholeStepBatchSampler', accumulative_counts=8),
    drop_last=False,  # the batch sampler does
)
optim_wrapper = dict(
    accumulative_counts=8,
    # DMAE's mask token is decayed
    paramwise_cfg=dict(custom_keys=dict(mask_token=dict(decay_mult=1.0))),
)
# MMEngine counts the 512 clips of one iteration: 32 of them are 256 of a step.
auto_scale_lr = dict(base_batch_size=32, accumulative_counts=8)
# 20 epochs of warm-up, half a cosine to 0
default_hooks = dict(
    curriculum=dict(phases=[(0.75, 100)], schedule=dict(warmup=0.2, eta_min_ratio=0.0))
)
work_dir = 'work_dirs/dmae_vit-b'
