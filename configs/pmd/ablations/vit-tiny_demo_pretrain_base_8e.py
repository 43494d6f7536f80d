# Ablation at demo scale: base loss alone, one phase at 90 %, as long as `make demo` trains PMD.
#   python tools/train.py configs/pmd/ablations/vit-tiny_demo_pretrain_base_8e.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = './vit-tiny_demo_pretrain_base.py'

default_hooks = dict(curriculum=dict(phases=[(0.90, 8)]))
train_cfg = dict(val_interval=8)
train_dataloader = dict(collate_fn=dict(type='clip_collate'))
work_dir = 'work_dirs/demo/pmd_base_8e'
