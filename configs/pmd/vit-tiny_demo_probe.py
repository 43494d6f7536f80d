# Linear probe on the demo clips: MMAction2's Recognizer3D, head, pipeline and AccMetric.
#   python tools/linear_probe.py configs/pmd/vit-tiny_demo_probe.py CHECKPOINT --out PROBE
#   python tools/test.py configs/pmd/vit-tiny_demo_probe.py PROBE
# Hardware: 2 CPU cores.
_base_ = '../_base_/default_runtime.py'

data_root = 'data/demo'
model = dict(
    type='Recognizer3D',
    data_preprocessor=dict(
        type='ClipPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    backbone=dict(
        type='MaskedVisionTransformer',
        embed_dims=96,
        depth=6,
        num_heads=3,
        img_size=48,
        patch_size=8,
        num_frames=8,
        tubelet_size=2,
        position='sincos_3d',
    ),
    cls_head=dict(type='TimeSformerHead', num_classes=12, in_channels=96, average_clips='prob'),
)

test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='PathListDataset',
        ann_file=f'{data_root}/val.txt',
        data_prefix=dict(video=data_root),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
# The clips on which tools/linear_probe.py fits the head.
probe_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='PathListDataset',
        ann_file=f'{data_root}/train.txt',
        data_prefix=dict(video=data_root),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_evaluator = dict(
    type='AccMetric',
    metric_list=('top_k_accuracy',),
    metric_options=dict(top_k_accuracy=dict(topk=(1,))),
)
test_cfg = dict(type='TestLoop')
work_dir = 'work_dirs/demo/probe'
