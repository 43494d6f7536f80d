# Validation of a pre-training on Kinetics-400: k nearest neighbours. 12,000 validation videos are
# the labelled neighbours of 4,000 others; the middle clip and crop of each. The list has to be
# shuffled, as MMAction2's script writes it. For monitoring; no published protocol.
knn_root = 'data/kinetics400/videos_val'
knn_list = 'data/kinetics400/kinetics400_val_list_videos.txt'
knn_steps = [
    dict(type='VideoInit'),
    dict(
        type='SampleFrames',
        clip_len=16,
        frame_interval=4,
        num_clips=1,
        out_of_bound_opt='repeat_last',
        test_mode=True,
    ),
    dict(type='VideoDecode'),
    dict(type='AntialiasedResize', scale=224),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('img_shape', 'split')),
]
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type='PathListDataset',
                ann_file=knn_list,
                data_prefix=dict(video=knn_root),
                indices=12000,  # the first
                pipeline=[dict(type='MarkSplit', split='bank'), *knn_steps],
                test_mode=True,
            ),
            dict(
                type='PathListDataset',
                ann_file=knn_list,
                data_prefix=dict(video=knn_root),
                indices=-4000,  # the last
                pipeline=[dict(type='MarkSplit', split='query'), *knn_steps],
                test_mode=True,
            ),
        ],
    ),
)
val_evaluator = dict(type='KNNMetric', k=20)
val_cfg = dict(type='ValLoop')
