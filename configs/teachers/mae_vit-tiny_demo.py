# Image teacher from scratch: MAE on single frames of the demo clips.
#   python tools/train.py configs/teachers/mae_vit-tiny_demo.py
#   python tools/convert_checkpoint.py --from mmaction --to timm \
#       work_dirs/demo/image_teacher/epoch_10.pth work_dirs/demo/image_teacher.pth
# Hardware: 2 CPU cores.
_base_ = './videomae_vit-tiny_demo.py'

epochs = 10
warmup = 1
model = dict(backbone=dict(num_frames=1, tubelet_size=1))
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='SeedAugmentation'),
            dict(type='VideoInit'),
            dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=1),
            dict(type='VideoDecode'),
            dict(type='RandomResizedCrop', area_range=(0.7, 1.0), aspect_ratio_range=(0.9, 1.1)),
            dict(type='Resize', scale=(48, 48), keep_ratio=False),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs', meta_keys=('img_shape', 'sample_idx')),
        ]
    )
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        begin=0,
        end=warmup,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.01,
        begin=warmup,
        end=epochs,
        T_max=epochs - warmup,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=epochs)
work_dir = 'work_dirs/demo/image_teacher'
