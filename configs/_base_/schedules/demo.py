# 12 epochs of one phase on the demo clips.
_base_ = './pmd.py'

optim_wrapper = dict(optimizer=dict(lr=7e-4), clip_grad=dict(max_norm=3.0))
default_hooks = dict(
    curriculum=dict(
        phases=[(0.90, 12)], schedule=dict(warmup=0.125, start_factor=0.01, eta_min_ratio=0.01)
    ),
    logger=dict(interval=10),
    checkpoint=dict(interval=3, max_keep_ckpts=2),
)
auto_scale_lr = dict(enable=False)
