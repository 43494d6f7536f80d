# Ablation at demo scale: base and PSD, four phases.
#   python tools/train.py configs/pmd/ablations/vit-tiny_demo_pretrain_psd.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = '../vit-tiny_demo_pretrain.py'

model = dict(dare=None, clfa=None)
work_dir = 'work_dirs/demo/pmd_psd'
