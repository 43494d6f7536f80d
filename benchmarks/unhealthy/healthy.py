"""As it should be: VideoMAE on the demo clips."""

_base_ = '../../configs/videomae/vit-tiny_demo_pretrain.py'
optim_wrapper = dict(optimizer=dict(lr=3e-3))
