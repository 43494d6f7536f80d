# DMAE on the demo clips, with the video teacher of the demo.
#   python tools/demo.py            # makes the clips and the teacher
#   python tools/train.py configs/dmae/vit-tiny_demo_pretrain.py
# Hardware: 2 CPU cores.
_base_ = [
    '../_base_/models/dmae_vit-b.py',
    '../_base_/datasets/demo_pretrain.py',
    '../_base_/datasets/demo_knn.py',
    '../_base_/schedules/demo.py',
]

grid = dict(img_size=48, patch_size=8, num_frames=8, tubelet_size=2)
vit_tiny = dict(embed_dims=96, depth=6, num_heads=3, position='sincos_3d', **grid)
model = dict(
    backbone=vit_tiny,
    teachers=dict(vid=dict(checkpoint='work_dirs/demo/video_teacher/epoch_24.pth', **vit_tiny)),
    decoder=dict(embed_dims=48, depth=1, num_heads=3, position='sincos_3d'),
    terms=[
        dict(type='PixelTerm'),
        dict(type='UnitAlignmentTerm', teachers=['vid']),  # layers at three quarters of the depth
    ],
)
default_hooks = dict(curriculum=dict(phases=[(0.75, 6)], schedule=dict(warmup=0.25)))
train_cfg = dict(val_interval=3)
work_dir = 'work_dirs/demo/dmae'
