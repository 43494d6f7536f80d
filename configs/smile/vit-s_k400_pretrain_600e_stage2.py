# SMILE, ViT-S, Kinetics-400, second stage of "600 epochs" (150 + 150, two masks per clip).
#   tools/dist_train.sh configs/smile/vit-s_k400_pretrain_600e_stage1.py 8 --amp
#   tools/dist_train.sh configs/smile/vit-s_k400_pretrain_600e_stage2.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (16 clips each). Time and accuracy: not yet run; the paper has a
# ViT-S of 800 epochs only (Kinetics-400 79.5, Something-Something V2 69.1).
_base_ = './vit-b_k400_pretrain_600e_stage2.py'

model = dict(backbone=dict(embed_dims=384, num_heads=6))
load_from = 'work_dirs/smile_vit-s_600e_stage1/student.pth'
work_dir = 'work_dirs/smile_vit-s_600e_stage2'
