# PMD ViT-B, pre-trained on Kinetics-400, fine-tuned on Something-Something V2, 30 epochs.
#   tools/dist_train.sh configs/pmd/vit-b_ssv2_finetune.py 8
#   tools/dist_test.sh configs/pmd/vit-b_ssv2_finetune.py \
#       work_dirs/vit-b_ssv2_finetune/best_*.pth 8
# Hardware: 8 GPUs of 80 GB assumed (16 videos each). Time and accuracy: not yet run.
_base_ = [
    '../_base_/models/vit-b_finetune.py',
    '../_base_/datasets/ssv2_finetune.py',
    '../_base_/schedules/finetune.py',
    '../_base_/finetune_runtime.py',
]

model = dict(
    data_preprocessor=dict(blending=_base_.blending),
    cls_head=dict(num_classes=_base_.num_classes),
)
train_cfg = dict(max_epochs=30)
load_from = 'work_dirs/vit-b_k400_pretrain/student.pth'
