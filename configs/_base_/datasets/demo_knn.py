# Validation of a pre-training on the demo clips: k nearest neighbours among the labelled
# training clips classify the validation clips.
knn_root = 'data/demo'
knn_steps = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('img_shape', 'split')),
]
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type='PathListDataset',
                ann_file=f'{knn_root}/train.txt',
                data_prefix=dict(video=knn_root),
                pipeline=[dict(type='MarkSplit', split='bank'), *knn_steps],
                test_mode=True,
            ),
            dict(
                type='PathListDataset',
                ann_file=f'{knn_root}/val.txt',
                data_prefix=dict(video=knn_root),
                pipeline=[dict(type='MarkSplit', split='query'), *knn_steps],
                test_mode=True,
            ),
        ],
    ),
)
val_evaluator = dict(type='KNNMetric', k=20)
val_cfg = dict(type='ValLoop')
