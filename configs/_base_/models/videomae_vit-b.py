# VideoMAE's ViT-B: pixels of the masked patches, normalised per patch and channel, 16 frames of
# 224 px, tubelets of 2 x 16 x 16: N = 1568 patches.
grid = dict(img_size=224, patch_size=16, num_frames=16, tubelet_size=2)

model = dict(
    type='MaskedDistillation',
    data_preprocessor=dict(
        type='ClipPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
    backbone=dict(
        type='MaskedVisionTransformer',
        use_mean_pooling=False,
        embed_dims=768,
        depth=12,
        num_heads=12,
        **grid,
    ),
    masker=dict(type='TubeMasker'),
    teachers=dict(pixel=dict(type='PixelTeacher')),
    decoder=dict(type='FeatureDecoder', embed_dims=384, depth=4, num_heads=6),
    terms=[dict(type='PixelTerm')],
)
