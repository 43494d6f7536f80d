# Video teacher from scratch: VideoMAE on the demo clips.
#   python tools/train.py configs/teachers/videomae_vit-tiny_demo.py
# Hardware: 2 CPU cores.
_base_ = [
    '../_base_/models/mae_vit-tiny.py',
    '../_base_/datasets/demo_pretrain.py',
    '../_base_/schedules/mae.py',
    '../_base_/default_runtime.py',
]
# one tensor for a worker to hand over instead of one for each clip
train_dataloader = dict(collate_fn=dict(type='clip_collate'))
work_dir = 'work_dirs/demo/video_teacher'
