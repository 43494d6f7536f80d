# Frozen PMD ViT-B, pre-trained on Kinetics-400, under a linear probe on
# Kinetics-400, 20 epochs. Its features are the mean of the last layer's tokens, under a norm that
# is not trained, as at the start of a fine-tuning; the attentive probe keeps the encoder's norm.
#   tools/dist_train.sh configs/pmd/vit-b_k400_linear-probe.py 8
#   tools/dist_test.sh configs/pmd/vit-b_k400_linear-probe.py \
#       work_dirs/vit-b_k400_linear-probe/best_*.pth 8
# Hardware: 8 GPUs of 24 GB assumed (16 videos each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_attentive-probe.py'

model = dict(
    backbone=dict(use_mean_pooling=True, return_feat_map=False),
    cls_head=dict(type='Float32TimeSformerHead'),
)
