# Ablation at demo scale: everything, one phase at 90 %.
#   python tools/train.py configs/pmd/ablations/vit-tiny_demo_pretrain_90.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = '../vit-tiny_demo_pretrain.py'

# The warm-up takes as many epochs as that of a phase of the curriculum.
default_hooks = dict(curriculum=dict(phases=[(0.90, 12)], schedule=dict(warmup=1 / 16)))
work_dir = 'work_dirs/demo/pmd_90'
