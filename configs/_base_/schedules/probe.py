# 20 epochs on a frozen encoder. The rate is for a total batch of 256 videos and scales with the
# real one; it is this project's choice, not tuned.
optim_wrapper = dict(
    # float32 and CPU: type='OptimWrapper', without the rest
    type='AmpOptimWrapper',
    dtype='bfloat16',
    loss_scale=1.0,
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, begin=1, convert_to_iter_based=True),
]
auto_scale_lr = dict(enable=True, base_batch_size=256)
train_cfg = dict(type='ResumableTrainLoop', max_epochs=20, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
