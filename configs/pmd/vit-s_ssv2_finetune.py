# PMD ViT-S, pre-trained on Kinetics-400, fine-tuned on Something-Something V2, 40 epochs.
#   tools/dist_train.sh configs/pmd/vit-s_ssv2_finetune.py 8
#   tools/dist_test.sh configs/pmd/vit-s_ssv2_finetune.py \
#       work_dirs/vit-s_ssv2_finetune/best_*.pth 8
# Hardware: 8 GPUs of 80 GB assumed (16 videos each). Time and accuracy: not yet run.
_base_ = './vit-b_ssv2_finetune.py'

model = dict(backbone=dict(embed_dims=384, num_heads=6), cls_head=dict(in_channels=384))
optim_wrapper = dict(optimizer=dict(lr=1e-3), paramwise_cfg=dict(decay_rate=0.7))
train_cfg = dict(max_epochs=40)
load_from = 'work_dirs/vit-s_k400_pretrain/student.pth'
