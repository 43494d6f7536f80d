# Fine-tuning on the demo clips: the recipe of the large configs without mixup and cutmix, for
# which ten epochs are too few, and with other frames in the second clip of a video.
#   python tools/train.py configs/pmd/vit-tiny_demo_finetune.py
#   python tools/test.py configs/pmd/vit-tiny_demo_finetune.py \
#       work_dirs/demo/finetune/best_acc_top1_epoch_*.pth
# Hardware: 2 CPU cores.
_base_ = ['../_base_/schedules/finetune.py', '../_base_/finetune_runtime.py']

data_root = 'data/demo'
epochs = 10
model = dict(
    type='Recognizer3D',
    data_preprocessor=dict(
        type='ClipPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    backbone=dict(
        type='MaskedVisionTransformer',
        img_size=48,
        patch_size=8,
        num_frames=8,
        tubelet_size=2,
        embed_dims=96,
        depth=6,
        num_heads=3,
        position='sincos_3d',
    ),
    cls_head=dict(
        type='Float32TimeSformerHead',
        num_classes=12,
        in_channels=96,
        init_std=2e-5,
        label_smooth_eps=0.1,
        average_clips='prob',
    ),
)

# No flips: half of the classes are directions.
train_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1),
    dict(type='VideoDecode'),
    dict(type='RandomResizedCrop', area_range=(0.7, 1.0), aspect_ratio_range=(0.9, 1.1)),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='repeat_pseudo_collate'),
    dataset=dict(
        type='RepeatAugPathListDataset',
        num_repeats=2,
        ann_file=f'{data_root}/train.txt',
        data_prefix=dict(video=data_root),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='PathListDataset',
        ann_file=f'{data_root}/val.txt',
        data_prefix=dict(video=data_root),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator

# float32: mixed precision needs a GPU
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, betas=(0.9, 0.999), weight_decay=0.05),
    constructor='MergedLayerDecayConstructor',
    paramwise_cfg=dict(decay_rate=0.75, num_layers=6),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, begin=1, convert_to_iter_based=True),
]
auto_scale_lr = dict(enable=False)
train_cfg = dict(max_epochs=epochs, val_interval=2)
load_from = 'work_dirs/demo/pmd/student.pth'
work_dir = 'work_dirs/demo/finetune'
