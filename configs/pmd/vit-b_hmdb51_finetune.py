# PMD ViT-B, pre-trained on Kinetics-400, fine-tuned on HMDB51, 50 epochs.
#   tools/dist_train.sh configs/pmd/vit-b_hmdb51_finetune.py 8
#   tools/dist_test.sh configs/pmd/vit-b_hmdb51_finetune.py \
#       work_dirs/vit-b_hmdb51_finetune/best_*.pth 8
# Hardware: 8 GPUs of 80 GB assumed (16 videos each). Time and accuracy: not yet run.
_base_ = [
    '../_base_/models/vit-b_finetune.py',
    '../_base_/datasets/hmdb51_finetune.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

# VideoMAE's settings for small data sets: more drop path, dropout, steeper layer decay.
model = dict(
    data_preprocessor=dict(blending=_base_.blending),
    backbone=dict(drop_path_rate=0.2),
    cls_head=dict(num_classes=_base_.num_classes, dropout_ratio=0.5),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3), paramwise_cfg=dict(decay_rate=0.7))
train_cfg = dict(max_epochs=50)
load_from = 'work_dirs/vit-b_k400_pretrain/student.pth'
