# Something-Something V2 in the layout of MMAction2 (docs/data.md): 16 frames x stride 2.
_base_ = './k400_pretrain_pillow.py'

data_root = 'data/sthv2/videos'
ann_file = 'data/sthv2/sthv2_train_list_videos.txt'
train_pipeline = [
    dict(step, frame_interval=2) if step['type'] == 'SampleFrames' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(
    dataset=dict(ann_file=ann_file, data_prefix=dict(video=data_root), pipeline=train_pipeline)
)
