# AMD on the demo clips, with the video teacher of `make demo`.
#   python tools/train.py configs/amd/vit-tiny_demo_pretrain.py
# Hardware: 2 CPU cores. Results: docs/results.md.
_base_ = '../videomae/vit-tiny_demo_pretrain.py'

model = dict(
    views=dict(teacher=dict(mask_ratio=0.75)),
    teachers=dict(
        vid=dict(
            type='VideoMAETeacher',
            view='teacher',
            target_norm='none',
            last_norm=False,
            checkpoint='work_dirs/demo/video_teacher/epoch_24.pth',
            position='sincos_3d',
            **_base_.vit_tiny,
        )
    ),
    terms=[
        dict(type='PixelTerm'),
        dict(
            type='LayerPairTerm',
            teachers=['vid'],
            pairs=[(2, 2), (5, 5)],
            generator=dict(depth=1, num_heads=3),
        ),
    ],
)
work_dir = 'work_dirs/demo/amd'
