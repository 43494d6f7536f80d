# All of PMD on the demo clips, with the two teachers of `make demo`.
#   python tools/train.py configs/pmd/vit-tiny_demo_pretrain.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = [
    '../_base_/models/pmd_vit-tiny.py',
    '../_base_/datasets/demo_pretrain.py',
    '../_base_/datasets/demo_knn.py',
    '../_base_/schedules/pmd.py',
]

optim_wrapper = dict(optimizer=dict(lr=7e-4), clip_grad=dict(max_norm=3.0))
default_hooks = dict(
    curriculum=dict(
        phases=[(0.75, 3), (0.80, 3), (0.85, 3), (0.90, 3)],
        schedule=dict(warmup=0.25, start_factor=0.01, eta_min_ratio=0.01),
    ),
    difficulty=dict(stage_epochs=2),
    term_balance=dict(interval=60),
    logger=dict(interval=10),
    checkpoint=dict(interval=3, max_keep_ckpts=2),
)
auto_scale_lr = dict(enable=False)
train_cfg = dict(val_interval=3)  # knn/top1 in the log at the end of each phase
work_dir = 'work_dirs/demo/pmd'
