# Frozen PMD ViT-B, pre-trained on Kinetics-400, under an attentive probe on
# Something-Something V2, 20 epochs.
#   tools/dist_train.sh configs/pmd/vit-b_ssv2_attentive-probe.py 8
#   tools/dist_test.sh configs/pmd/vit-b_ssv2_attentive-probe.py \
#       work_dirs/vit-b_ssv2_attentive-probe/best_*.pth 8
# Hardware: 8 GPUs of 24 GB assumed (16 videos each). Time and accuracy: not yet run.
_base_ = [
    '../_base_/models/vit-b_probe.py',
    '../_base_/datasets/ssv2_finetune.py',
    '../_base_/schedules/probe.py',
    '../_base_/finetune_runtime.py',
]

model = dict(cls_head=dict(num_classes=_base_.num_classes))
load_from = 'work_dirs/vit-b_k400_pretrain/student.pth'
