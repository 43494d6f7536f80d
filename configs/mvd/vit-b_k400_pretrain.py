# MVD, ViT-B with ViT-B teachers, as its scripts have it (docs/interpretation.md, point by point):
# base loss alone, SmoothL1 on raw features, one phase at 90 %, steps of 1024 clips.
# Its model zoo: Kinetics-400 82.7, Something-Something V2 72.5.
#   tools/dist_train.sh configs/mvd/vit-b_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, twice per step). Time and accuracy: not yet run.
_base_ = [
    '../_base_/models/pmd_vit-b.py',
    '../_base_/datasets/k400_pretrain_pillow.py',
    '../_base_/schedules/pmd.py',
]

model = dict(
    image_teacher=dict(target_norm='none', last_norm=False, position='sincos_2d'),
    video_teacher=dict(target_norm='none', last_norm=False),
    base=dict(distance='smooth_l1'),
    psd=None,
    dare=None,
    clfa=None,
)
train_dataloader = dict(
    batch_sampler=dict(type='WholeStepBatchSampler', accumulative_counts=2),
    drop_last=False,  # the batch sampler does
)
optim_wrapper = dict(
    accumulative_counts=2,
    # MVD's list of parameters without decay misses the names of its mask tokens
    paramwise_cfg=dict(custom_keys=dict(mask_token=dict(decay_mult=1.0))),
)
# MMEngine counts the 512 clips of one iteration: 128 of them are 256 of a step.
auto_scale_lr = dict(base_batch_size=128, accumulative_counts=2)
# 400 of the 401 epochs of MVD's cosine: the file that it fine-tunes
default_hooks = dict(curriculum=dict(phases=[(0.90, 400)], schedule=dict(extra_epochs=1)))
work_dir = 'work_dirs/mvd_vit-b_k400_pretrain'
