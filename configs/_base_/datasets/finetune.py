# What the fine-tunings on all data sets share: augmentation as in VideoMAE and MVD, loaders and
# metrics. A data set adds its files, its sampling of frames, and three pipelines of these steps.

# rand-m7-n4, drawn once for all frames: four of these, each with probability 0.5 and 7 of 10
# magnitudes. It is torchvision's: configs/pmd/README.md tells how MVD's differs.
random_augment = dict(
    type='RandomApply',
    prob=0.5,
    transforms=dict(
        type='TorchVisionWrapper',
        op='RandAugment',
        num_ops=1,
        magnitude=7,
        num_magnitude_bins=11,
        fill=[128, 128, 128],
    ),
)
# Noise of the mean and deviation that the pixels have.
random_erasing = dict(
    type='RandomErasing',
    erase_prob=0.25,
    mode='rand',
    fill_color=[123.675, 116.28, 103.53],
    fill_std=[58.395, 57.12, 57.375],
)

train_steps = [
    dict(type='Resize', scale=(-1, 256)),
    *[random_augment] * 4,
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    random_erasing,
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_steps = [
    dict(type='Resize', scale=(-1, 224)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
# three crops of every clip
test_steps = [
    dict(type='Resize', scale=(-1, 224)),
    dict(type='ThreeCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    # With workers that end after each epoch MMEngine would repeat their random numbers.
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='clip_collate'),
    # Repeated augmentation: each video is decoded once, and its frames are augmented twice.
    dataset=dict(type='RepeatAugPathListDataset', num_repeats=2, sample_once=True),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    collate_fn=dict(type='clip_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='PathListDataset', test_mode=True),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    collate_fn=dict(type='clip_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='PathListDataset', test_mode=True),
)
val_evaluator = dict(type='AccMetric')
test_evaluator = dict(type='AccMetric')
