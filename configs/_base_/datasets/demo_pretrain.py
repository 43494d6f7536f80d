# The demo clips (tools/data/make_demo_dataset.py), without their labels;
# demo_knn.py has them.
data_root = 'data/demo'
reader = 'pyav'  # or 'decord'

train_pipeline = [
    dict(type='SeedAugmentation'),
    dict(type='VideoInit', reader=reader),
    dict(type='RequireFrames', minimum=2),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1),
    dict(type='VideoDecode'),
    dict(type='RandomResizedCrop', area_range=(0.7, 1.0), aspect_ratio_range=(0.9, 1.1)),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('img_shape', 'sample_idx')),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='PathListDataset',
        ann_file=f'{data_root}/train.txt',
        data_prefix=dict(video=data_root),
        pipeline=train_pipeline,
    ),
)
