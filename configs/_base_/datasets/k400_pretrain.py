# Kinetics-400 in the layout of MMAction2 (docs/data.md). The list may be one without labels.
data_root = 'data/kinetics400/videos_train'
ann_file = 'data/kinetics400/kinetics400_train_list_videos.txt'
reader = 'pyav'  # or 'decord'

train_pipeline = [
    dict(type='SeedAugmentation'),
    dict(type='VideoInit', reader=reader),
    dict(type='RequireFrames', minimum=2),
    # a video of less than 64 frames: its last frame is repeated
    dict(
        type='SampleFrames',
        clip_len=16,
        frame_interval=4,
        num_clips=1,
        out_of_bound_opt='repeat_last',
    ),
    dict(type='VideoDecode'),
    dict(
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, 0.875, 0.75, 0.66),
        random_crop=False,
        max_wh_scale_gap=1,
        num_fixed_crops=13,
    ),
    dict(type='AntialiasedResize', scale=(224, 224)),
    dict(type='FormatShape', input_format='NCTHW'),
    # DARE needs sample_idx.
    dict(type='PackActionInputs', meta_keys=('img_shape', 'sample_idx')),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    # two pinned tensors per batch, ready to be sent
    pin_memory=True,
    collate_fn=dict(type='clip_collate'),
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='PathListDataset',
        ann_file=ann_file,
        data_prefix=dict(video=data_root),
        pipeline=train_pipeline,
    ),
)
