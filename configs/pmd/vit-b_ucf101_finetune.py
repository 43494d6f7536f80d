# PMD ViT-B, pre-trained on Kinetics-400, fine-tuned on UCF101, 100 epochs.
#   tools/dist_train.sh configs/pmd/vit-b_ucf101_finetune.py 8
#   tools/dist_test.sh configs/pmd/vit-b_ucf101_finetune.py \
#       work_dirs/vit-b_ucf101_finetune/best_*.pth 8
# Hardware: 8 GPUs of 80 GB assumed (16 videos each). Time and accuracy: not yet run.
_base_ = [
    '../_base_/models/vit-b_finetune.py',
    '../_base_/datasets/ucf101_finetune.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

# VideoMAE's settings for small data sets: more drop path, dropout, steeper layer decay.
model = dict(
    data_preprocessor=dict(blending=_base_.blending),
    backbone=dict(drop_path_rate=0.2),
    cls_head=dict(num_classes=_base_.num_classes, dropout_ratio=0.5),
)
optim_wrapper = dict(paramwise_cfg=dict(decay_rate=0.7))
train_cfg = dict(max_epochs=100)
load_from = 'work_dirs/vit-b_k400_pretrain/student.pth'
