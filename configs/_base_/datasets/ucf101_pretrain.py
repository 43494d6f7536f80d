# UCF101, first split, in the layout of MMAction2 (docs/data.md): 16 frames x stride 4.
_base_ = './k400_pretrain_pillow.py'

data_root = 'data/ucf101/videos'
ann_file = 'data/ucf101/ucf101_train_split_1_videos.txt'
train_dataloader = dict(dataset=dict(ann_file=ann_file, data_prefix=dict(video=data_root)))
