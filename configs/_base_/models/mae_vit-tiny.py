# Masked pixel reconstruction with a tiny ViT: trains teachers for the demo clips.
model = dict(
    type='MaskedAutoencoder',
    data_preprocessor=dict(
        type='ClipPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
    backbone=dict(
        type='MaskedVisionTransformer',
        use_mean_pooling=False,
        embed_dims=96,
        depth=6,
        num_heads=3,
        img_size=48,
        patch_size=8,
        num_frames=8,
        tubelet_size=2,
        position='sincos_3d',
    ),
    decoder=dict(type='FeatureDecoder', embed_dims=48, depth=1, num_heads=3, position='sincos_3d'),
    masker=dict(type='TubeMasker'),
    mask_ratio=0.75,
    # Flat backgrounds hold little but compression noise: about six grey levels of 255.
    normalize_eps=0.0225,
)
