# SMILE, ViT-B, Kinetics-400, first stage of "600 epochs" (150 + 150, two masks per clip): two
# objects of data/objects (docs/data.md) move through each clip, and the mask hides them.
#   tools/dist_train.sh configs/smile/vit-b_k400_pretrain_600e_stage1.py 8 --amp
#   tools/dist_train.sh configs/smile/vit-b_k400_pretrain_600e_stage2.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (16 clips each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain_600e_stage2.py'

# a tenth of the objects' patches stays visible: the fifth of its script never reaches its masks
model = dict(masker=dict(type='ObjectTubeMasker', tube_ratio=0.8))
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_pipeline[:-2],
            dict(type='PasteMovingObjects', folder='data/objects'),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs', meta_keys=('img_shape', 'sample_idx', 'object_boxes')),
        ]
    )
)
load_from = None
work_dir = 'work_dirs/smile_vit-b_600e_stage1'
