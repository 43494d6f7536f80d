# ViT-B, frozen as pre-trained, under an attentive probe, 16 frames of 224 px.
# A child sets num_classes, which the base file of its data set names.
_base_ = './vit-b_finetune.py'

model = dict(
    backbone=dict(frozen=True, use_mean_pooling=False, return_feat_map=True, drop_path_rate=0.0),
    cls_head=dict(type='AttentiveHead', init_std=0.02, label_smooth_eps=0.0),
)
