"""A rate that rises to the end, nothing that clips the gradients: the loss jumps ever higher."""

_base_ = '../../configs/videomae/vit-tiny_demo_pretrain.py'
optim_wrapper = dict(optimizer=dict(lr=1.0), clip_grad=None)
default_hooks = dict(curriculum=dict(schedule=dict(warmup=0.99)))
