# Ablation at demo scale: base and CLFA, one phase at 90 %.
#   python tools/train.py configs/pmd/ablations/vit-tiny_demo_pretrain_clfa.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = './vit-tiny_demo_pretrain_90.py'

model = dict(psd=None, dare=None)
work_dir = 'work_dirs/demo/pmd_clfa'
