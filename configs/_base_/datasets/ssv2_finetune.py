# Something-Something V2 in the layout of MMAction2 (docs/data.md): 16 frames spread over the
# video. No flips, since many classes differ in direction only.
_base_ = './finetune.py'

num_classes = 174
data_root = 'data/sthv2/videos'
ann_file_train = 'data/sthv2/sthv2_train_list_videos.txt'
ann_file_val = 'data/sthv2/sthv2_val_list_videos.txt'
reader = 'pyav'  # or 'decord'

# One of the two for every batch.
blending = dict(
    type='RandomBatchAugment',
    augments=[
        dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
        dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes),
    ],
)

train_pipeline = [
    dict(type='VideoInit', reader=reader),
    dict(type='UniformSample', clip_len=16, num_clips=1),
    dict(type='VideoDecode'),
    *[step for step in _base_.train_steps if step['type'] != 'Flip'],
]
val_pipeline = [
    dict(type='VideoInit', reader=reader),
    dict(type='UniformSample', clip_len=16, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    *_base_.val_steps,
]
# 2 clips x 3 crops of every video
test_pipeline = [
    dict(type='VideoInit', reader=reader),
    dict(type='UniformSample', clip_len=16, num_clips=2, test_mode=True),
    dict(type='VideoDecode'),
    *_base_.test_steps,
]
train_dataloader = dict(
    dataset=dict(
        ann_file=ann_file_train, data_prefix=dict(video=data_root), pipeline=train_pipeline
    )
)
val_dataloader = dict(
    dataset=dict(ann_file=ann_file_val, data_prefix=dict(video=data_root), pipeline=val_pipeline)
)
test_dataloader = dict(
    dataset=dict(ann_file=ann_file_val, data_prefix=dict(video=data_root), pipeline=test_pipeline)
)
