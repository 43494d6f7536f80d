# SMILE, ViT-B, Kinetics-400, second stage of "600 epochs" (150 + 150, two masks per clip): plain
# tube masks, from the student of the first stage.
#   tools/dist_train.sh configs/smile/vit-b_k400_pretrain_600e_stage2.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (16 clips each). Time and accuracy: not yet run; the paper's,
# after fine-tuning: Kinetics-400 83.1, Something-Something V2 72.1.
_base_ = [
    '../_base_/models/smile_vit-b.py',
    '../_base_/datasets/k400_pretrain_pillow.py',
    '../_base_/schedules/smile.py',
]

train_dataloader = dict(batch_size=16)
load_from = 'work_dirs/smile_vit-b_600e_stage1/student.pth'
work_dir = 'work_dirs/smile_vit-b_600e_stage2'
