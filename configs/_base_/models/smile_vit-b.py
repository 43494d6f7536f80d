# SMILE, ViT-B: a VideoMAE student that learns the patch features of CLIP ViT-B/16, normalised per
# clip and channel, from two tube masks of each clip. 16 frames of 224 px: N = 1568 patches.
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
        img=dict(
            type='TimmImageTeacher',
            # OpenAI's weights; they were trained with this activation
            model_name='vit_base_patch16_clip_quickgelu_224.openai',
            checkpoint='data/teachers/clip_vit-b-16_openai.safetensors',
            num_frames=16,
            tubelet_size=2,
            target_norm='channel_norm',
            normalization='data',  # ImageNet's mean and std, as SMILE; not CLIP's
        )
    ),
    decoder=dict(type='FeatureDecoder', embed_dims=384, depth=4, num_heads=6),
    masker=dict(type='TubeMasker'),
    num_masks=2,
    mask_choice='permuted',
    terms=[dict(type='BaseTerm')],
)
