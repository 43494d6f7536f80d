"""Overfit: sixteen videos."""

_base_ = '../../configs/videomae/vit-tiny_demo_pretrain.py'
train_dataloader = dict(dataset=dict(indices=16))
optim_wrapper = dict(optimizer=dict(lr=3e-3))
