# Kinetics-400 with the pixels that the public codes of VideoMAE, VideoMAE V2, AMD, MVD and SMILE
# train on.
_base_ = './k400_pretrain.py'

train_pipeline = [
    dict(step, backend='pillow') if step['type'] == 'AntialiasedResize' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
