# The frozen student of the demo under an attentive probe, with MMAction2's training and AccMetric.
#   python tools/train.py configs/pmd/vit-tiny_demo_attentive-probe.py
# Hardware: 2 CPU cores. Time and accuracy: not yet run.
_base_ = './vit-tiny_demo_finetune.py'

model = dict(
    backbone=dict(frozen=True, use_mean_pooling=False, return_feat_map=True),
    cls_head=dict(type='AttentiveHead', init_std=0.02, label_smooth_eps=0.0),
)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
work_dir = 'work_dirs/demo/attentive-probe'
