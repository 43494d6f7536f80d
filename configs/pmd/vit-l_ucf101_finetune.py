# PMD ViT-L, pre-trained on Kinetics-400, fine-tuned on UCF101, 100 epochs.
#   tools/dist_train.sh configs/pmd/vit-l_ucf101_finetune.py 8
#   tools/dist_test.sh configs/pmd/vit-l_ucf101_finetune.py \
#       work_dirs/vit-l_ucf101_finetune/best_*.pth 8
# Hardware: 8 GPUs of 80 GB assumed (8 videos each). Time and accuracy: not yet run.
_base_ = './vit-b_ucf101_finetune.py'

model = dict(
    backbone=dict(embed_dims=1024, depth=24, num_heads=16, drop_path_rate=0.3),
    cls_head=dict(in_channels=1024),
)
optim_wrapper = dict(paramwise_cfg=dict(num_layers=24))
train_dataloader = dict(batch_size=8)
load_from = 'work_dirs/vit-l_k400_pretrain/student.pth'
