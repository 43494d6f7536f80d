# VideoMAE in a size for the demo clips: 8 frames of 48 px, tubelets of 2 x 8 x 8, N = 144
# patches.
_base_ = './videomae_vit-b.py'

grid = dict(img_size=48, patch_size=8, num_frames=8, tubelet_size=2)
vit_tiny = dict(embed_dims=96, depth=6, num_heads=3, **grid)
model = dict(
    backbone=vit_tiny,
    # Flat backgrounds hold little but compression noise: about six grey levels of 255.
    teachers=dict(pixel=dict(normalize_eps=0.0225)),
    decoder=dict(embed_dims=48, depth=1, num_heads=3),
)
