# The frozen student of the demo under a linear probe: the attentive probe without its block.
#   python tools/train.py configs/pmd/vit-tiny_demo_linear-probe.py
# Hardware: 2 CPU cores. Time and accuracy: not yet run.
_base_ = './vit-tiny_demo_attentive-probe.py'

model = dict(
    backbone=dict(use_mean_pooling=True, return_feat_map=False),
    cls_head=dict(type='Float32TimeSformerHead'),
)
work_dir = 'work_dirs/demo/linear-probe'
