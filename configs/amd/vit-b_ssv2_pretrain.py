# AMD, ViT-B with a ViT-L teacher, Something-Something V2, 200 epochs of four clips per video ("800
# epochs"). Steps of 512 videos, 2048 clips. Its model zoo: Something-Something V2 73.3.
#   tools/dist_train.sh configs/amd/vit-b_ssv2_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, four times per step). Time and accuracy: not
# yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(
    teachers=dict(vid=dict(checkpoint='data/teachers/videomae_vit-l_ssv2_pretrain.pth')),
)
train_pipeline = [
    dict(step, frame_interval=2) if step['type'] == 'SampleFrames' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(
    dataset=dict(
        ann_file='data/sthv2/sthv2_train_list_videos.txt',
        data_prefix=dict(video='data/sthv2/videos'),
        pipeline=train_pipeline,
    )
)
work_dir = 'work_dirs/amd_vit-b_ssv2_pretrain'
