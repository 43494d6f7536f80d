# SMILE's first stage on the demo clips, with moving objects; the image teacher of the demo
# stands in for CLIP.
#   python tools/demo.py            # makes the clips and the teacher
#   python tools/data/make_demo_objects.py
#   python tools/train.py configs/smile/vit-tiny_demo_pretrain.py
# Hardware: 2 CPU cores.
_base_ = [
    '../_base_/models/smile_vit-b.py',
    '../_base_/datasets/demo_pretrain.py',
    '../_base_/datasets/demo_knn.py',
    '../_base_/schedules/demo.py',
]

grid = dict(img_size=48, patch_size=8, num_frames=8, tubelet_size=2)
model = dict(
    backbone=dict(embed_dims=96, depth=6, num_heads=3, **grid),
    teachers=dict(
        img=dict(
            model_name='vit_tiny_patch16_224',
            model_kwargs=dict(
                img_size=48,
                patch_size=8,
                embed_dim=96,
                depth=6,
                num_heads=3,
                class_token=False,
                global_pool='avg',
                fc_norm=False,
            ),
            checkpoint='work_dirs/demo/image_teacher.pth',
            num_frames=8,
        )
    ),
    decoder=dict(embed_dims=48, depth=1, num_heads=3),
    masker=dict(type='ObjectTubeMasker'),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_pipeline[:-2],
            dict(type='PasteMovingObjects', folder='data/demo/objects'),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs', meta_keys=('img_shape', 'sample_idx', 'object_boxes')),
        ]
    )
)
default_hooks = dict(curriculum=dict(phases=[(0.8, 6)], schedule=dict(warmup=0.25)))
train_cfg = dict(val_interval=3)
work_dir = 'work_dirs/demo/smile'
