# VideoMAE's and MVD's recipe. Learning rates are for a total batch of 256 videos (each of which
# gives two clips) and scale with the real one; every layer's rate is decay_rate times that of
# the layer above. A child sets train_cfg.max_epochs, and num_layers for another depth. Rates,
# decays, drop paths and dropouts of the children are those of MVD's scripts for that size on
# Kinetics-400 and Something-Something V2, and of VideoMAE on UCF101 and HMDB51.
optim_wrapper = dict(
    # bfloat16 needs no loss scaling; float32 and CPU: type='OptimWrapper', without the rest
    type='AmpOptimWrapper',
    dtype='bfloat16',
    loss_scale=1.0,
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.05),
    constructor='MergedLayerDecayConstructor',
    paramwise_cfg=dict(decay_rate=0.75, num_layers=12),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.002,
        begin=0,
        end=5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    # to 0.002 of each layer's own rate, up to the last epoch
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.002,
        begin=5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(enable=True, base_batch_size=256)
train_cfg = dict(type='ResumableTrainLoop', val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
