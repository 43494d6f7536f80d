# Ablation at demo scale: base loss alone, one phase at 90 %.
#   python tools/train.py configs/pmd/ablations/vit-tiny_demo_pretrain_base.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = './vit-tiny_demo_pretrain_90.py'

model = dict(psd=None, dare=None, clfa=None)
work_dir = 'work_dirs/demo/pmd_base'
