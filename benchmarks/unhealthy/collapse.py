"""Collapse: a rate some hundred times too high, its gradients clipped."""

_base_ = '../../configs/videomae/vit-tiny_demo_pretrain.py'
optim_wrapper = dict(optimizer=dict(lr=1.0))
