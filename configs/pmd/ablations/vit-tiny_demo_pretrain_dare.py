# Ablation at demo scale: base and DARE, one phase at 90 %.
#   python tools/train.py configs/pmd/ablations/vit-tiny_demo_pretrain_dare.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = './vit-tiny_demo_pretrain_90.py'

model = dict(psd=None, clfa=None)
work_dir = 'work_dirs/demo/pmd_dare'
