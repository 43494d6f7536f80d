"""Plateau at the mean: steps too small to learn more than the mean of the targets."""

_base_ = '../../configs/videomae/vit-tiny_demo_pretrain.py'
optim_wrapper = dict(optimizer=dict(lr=2e-5))
