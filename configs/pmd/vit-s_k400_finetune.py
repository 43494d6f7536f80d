# PMD ViT-S, pre-trained on Kinetics-400, fine-tuned on Kinetics-400, 75 epochs.
#   tools/dist_train.sh configs/pmd/vit-s_k400_finetune.py 8
#   tools/dist_test.sh configs/pmd/vit-s_k400_finetune.py \
#       work_dirs/vit-s_k400_finetune/best_*.pth 8
# Hardware: 8 GPUs of 80 GB assumed (16 videos each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_finetune.py'

model = dict(backbone=dict(embed_dims=384, num_heads=6), cls_head=dict(in_channels=384))
load_from = 'work_dirs/vit-s_k400_pretrain/student.pth'
