# MVD on the demo clips, with the two teachers of `make demo`.
#   python tools/train.py configs/mvd/vit-tiny_demo_pretrain.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = '../pmd/vit-tiny_demo_pretrain.py'

model = dict(
    image_teacher=dict(target_norm='none', last_norm=False),
    video_teacher=dict(target_norm='none', last_norm=False),
    base=dict(distance='smooth_l1'),
    psd=None,
    dare=None,
    clfa=None,
)
default_hooks = dict(curriculum=dict(phases=[(0.90, 12)]))
work_dir = 'work_dirs/demo/mvd'
