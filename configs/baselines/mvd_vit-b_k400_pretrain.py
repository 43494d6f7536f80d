# MVD, ViT-B with ViT-B teachers, as its scripts have it (docs/interpretation.md, point by point):
# base loss alone, SmoothL1 on raw features, one phase at 90 %, steps of 1024 clips.
#   tools/dist_train.sh configs/baselines/mvd_vit-b_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, twice per step). Time and accuracy: not yet run.
_base_ = '../pmd/ablations/vit-b_k400_pretrain_base.py'

model = dict(
    image_teacher=dict(target_norm='none', last_norm=False, position='sincos_2d'),
    video_teacher=dict(target_norm='none', last_norm=False),
    base=dict(distance='smooth_l1'),
)
train_dataloader = dict(
    batch_sampler=dict(type='WholeStepBatchSampler', accumulative_counts=2),
    drop_last=False,  # the batch sampler does
    dataset=dict(
        pipeline=[
            dict(step, backend='pillow') if step['type'] == 'AntialiasedResize' else step
            for step in _base_.train_pipeline
        ]
    ),
)
optim_wrapper = dict(
    accumulative_counts=2,
    # MVD's list of parameters without decay misses the names of its mask tokens
    paramwise_cfg=dict(custom_keys=dict(mask_token=dict(decay_mult=1.0))),
)
# MMEngine counts the 512 clips of one iteration: 128 of them are 256 of a step.
auto_scale_lr = dict(base_batch_size=128, accumulative_counts=2)
default_hooks = dict(curriculum=dict(schedule=None))
# 400 of the 401 epochs of MVD's cosine: the file that it fine-tunes
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-8,
        begin=0,
        end=40,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=2 / 3,
        begin=40,
        end=400,
        T_max=361,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
