# Ablation at demo scale: all of PMD, with CLFA as written in the paper's summary.
#   python tools/train.py configs/pmd/ablations/vit-tiny_demo_pretrain_letter.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = '../vit-tiny_demo_pretrain.py'

model = dict(clfa=dict(student_norm='none', fc_std=None))
work_dir = 'work_dirs/demo/pmd_letter'
