# VideoMAE V2 on the demo clips: half of the patches are decoded, four clips per video.
#   python tools/train.py configs/videomaev2/vit-tiny_demo_pretrain.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = '../videomae/vit-tiny_demo_pretrain.py'

model = dict(
    views=dict(
        decode=dict(type='RunningCellMasker', mask_ratio=0.5, whole_clip=True, backward=True)
    )
)
train_dataloader = dict(
    batch_size=4,
    collate_fn=dict(type='repeat_pseudo_collate'),
    dataset=dict(type='RepeatAugPathListDataset', num_repeats=4, sample_once=True),
)
default_hooks = dict(curriculum=dict(phases=[(0.90, 3)], schedule=dict(warmup=0.25)))
work_dir = 'work_dirs/demo/videomaev2'
