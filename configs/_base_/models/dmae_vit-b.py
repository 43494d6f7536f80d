# DMAE carried over to clips, ViT-B: pixels, and layer 9 of 12 aligned with layer 18 of 24 of a
# VideoMAE ViT-L that sees the same visible patches. 16 frames of 224 px: N = 1568 patches.
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
    teachers=dict(
        vid=dict(
            type='VideoMAETeacher',
            checkpoint='data/teachers/videomae_vit-l_k400_pretrain.pth',
            embed_dims=1024,
            depth=24,
            num_heads=16,
            view='student',
            target_norm='none',
            **grid,
        ),
        pixel=dict(type='PixelTeacher', normalize=False, scale='data'),
    ),
    decoder=dict(type='FeatureDecoder', embed_dims=512, depth=8, num_heads=16, embed_bias=True),
    masker=dict(type='TubeMasker'),
    terms=[
        dict(type='PixelTerm'),
        dict(type='UnitAlignmentTerm', student_layer=8, teacher_layer=17, teachers=['vid']),
    ],
)
