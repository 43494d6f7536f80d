# Kinetics-400 with two clips of each decoded video (repeated augmentation).
# batch_size counts videos: 32 are the 64 clips of k400_pretrain.py. An epoch sees each video twice.
_base_ = './k400_pretrain.py'

train_dataloader = dict(
    batch_size=32,
    dataset=dict(type='RepeatAugPathListDataset', num_repeats=2),
)
