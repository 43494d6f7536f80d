# VideoMAE on the demo clips.
#   python tools/train.py configs/videomae/vit-tiny_demo_pretrain.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = [
    '../_base_/models/videomae_vit-tiny.py',
    '../_base_/datasets/demo_pretrain.py',
    '../_base_/datasets/demo_knn.py',
    '../_base_/schedules/demo.py',
]

train_cfg = dict(val_interval=3)
work_dir = 'work_dirs/demo/videomae'
