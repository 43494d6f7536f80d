# All of PMD on the demo clips in two thirds of the epochs, as `make demo` trains it.
#   python tools/train.py configs/pmd/vit-tiny_demo_pretrain_8e.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = './vit-tiny_demo_pretrain.py'

default_hooks = dict(
    curriculum=dict(phases=[(0.75, 2), (0.80, 2), (0.85, 2), (0.90, 2)]),
    difficulty=dict(stage_epochs=1),
    checkpoint=dict(interval=2),
)
train_cfg = dict(val_interval=4)
# one tensor for a worker to hand over instead of one for each clip
train_dataloader = dict(collate_fn=dict(type='clip_collate'))
work_dir = 'work_dirs/demo/pmd_8e'
