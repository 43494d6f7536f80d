"""Too high a rate, and nothing that clips the gradients: the loss is soon not finite."""

_base_ = '../../configs/videomae/vit-tiny_demo_pretrain.py'
optim_wrapper = dict(optimizer=dict(lr=1e4), clip_grad=None)
