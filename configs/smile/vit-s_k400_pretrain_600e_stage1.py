# SMILE, ViT-S, Kinetics-400, first stage of "600 epochs" (150 + 150, two masks per clip).
#   tools/dist_train.sh configs/smile/vit-s_k400_pretrain_600e_stage1.py 8 --amp
#   tools/dist_train.sh configs/smile/vit-s_k400_pretrain_600e_stage2.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (16 clips each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain_600e_stage1.py'

model = dict(backbone=dict(embed_dims=384, num_heads=6))
work_dir = 'work_dirs/smile_vit-s_600e_stage1'
