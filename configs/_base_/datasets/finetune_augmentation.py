# Augmentation of every fine-tuning, as in VideoMAE and MVD.

# rand-m7-n4, drawn once for all frames: four of these, each with probability 0.5 and 7 of 10
# magnitudes. The noise on the magnitude (mstd0.5) is left out.
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
