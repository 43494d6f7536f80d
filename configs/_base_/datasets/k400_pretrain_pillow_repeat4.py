# The same with four clips of each decoded video: the same frames, each clip with its own crop and
# masks, as in the codes of VideoMAE V2 and AMD.
# batch_size counts videos, as does auto_scale_lr. An epoch sees each video four times.
_base_ = './k400_pretrain_pillow.py'

train_dataloader = dict(
    batch_size=16,
    dataset=dict(type='RepeatAugPathListDataset', num_repeats=4, sample_once=True),
)
