# Ablation, ViT-B, Kinetics-400: the video teacher alone.
#   tools/dist_train.sh configs/pmd/ablations/vit-b_k400_pretrain_video-teacher.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = '../vit-b_k400_pretrain.py'

model = dict(image_teacher=None)
