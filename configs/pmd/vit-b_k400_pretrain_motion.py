# PMD with SMILE's moving objects: pasted into each clip, and masked first.
#   tools/dist_train.sh configs/pmd/vit-b_k400_pretrain_motion.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(masker=dict(type='ObjectTubeMasker'))
motion = dict(type='PasteMovingObjects', folder='data/objects')
pack = dict(type='PackActionInputs', meta_keys=('img_shape', 'sample_idx', 'object_boxes'))
pipeline = [*_base_.train_pipeline[:-2], motion, _base_.train_pipeline[-2], pack]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
