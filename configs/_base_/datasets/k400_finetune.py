# Kinetics-400 with labels in the layout of MMAction2 (docs/data.md): 16 frames x stride 4.
_base_ = './finetune.py'

num_classes = 400
data_root = 'data/kinetics400/videos_train'
data_root_val = 'data/kinetics400/videos_val'
ann_file_train = 'data/kinetics400/kinetics400_train_list_videos.txt'
ann_file_val = 'data/kinetics400/kinetics400_val_list_videos.txt'
reader = 'pyav'  # or 'decord'

# One of the two for every batch.
blending = dict(
    type='RandomBatchAugment',
    augments=[
        dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
        dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes),
    ],
)

# a shorter video repeats its last frame
frames = dict(type='SampleFrames', clip_len=16, frame_interval=4, out_of_bound_opt='repeat_last')
train_pipeline = [
    dict(type='VideoInit', reader=reader),
    dict(frames, num_clips=1),
    dict(type='VideoDecode'),
    *_base_.train_steps,
]
val_pipeline = [
    dict(type='VideoInit', reader=reader),
    dict(frames, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    *_base_.val_steps,
]
# 5 clips x 3 crops of every video
test_pipeline = [
    dict(type='VideoInit', reader=reader),
    dict(frames, num_clips=5, test_mode=True),
    dict(type='VideoDecode'),
    *_base_.test_steps,
]
train_dataloader = dict(
    dataset=dict(
        ann_file=ann_file_train, data_prefix=dict(video=data_root), pipeline=train_pipeline
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file=ann_file_val, data_prefix=dict(video=data_root_val), pipeline=val_pipeline
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=ann_file_val, data_prefix=dict(video=data_root_val), pipeline=test_pipeline
    )
)
