# ViT-B student, ViT-B teachers, 16 frames of 224 px, tubelets of 2 x 16 x 16: N = 1568 patches.
grid = dict(img_size=224, patch_size=16, num_frames=16, tubelet_size=2)
vit_b = dict(embed_dims=768, depth=12, num_heads=12, **grid)

model = dict(
    type='PMDRecognizer',
    data_preprocessor=dict(
        type='ClipPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
    backbone=dict(
        type='MaskedVisionTransformer',
        use_mean_pooling=False,
        drop_path_rate=0.1,
        position='sincos_3d',
        **vit_b,
    ),
    image_teacher=dict(
        type='TimmImageTeacher',
        model_name='vit_base_patch16_224.mae',
        checkpoint='data/teachers/mae_pretrain_vit_base.pth',
        num_frames=16,
        tubelet_size=2,
    ),
    video_teacher=dict(
        type='VideoMAETeacher', checkpoint='data/teachers/videomae_vit-b_k400_pretrain.pth', **vit_b
    ),
    decoder=dict(
        type='FeatureDecoder', depth=2, embed_bias=True, drop_path_rate=0.1, position='sincos_3d'
    ),
    masker=dict(type='TubeMasker'),
    base=dict(loss_weight=1.0, distance='l2', channel_reduction='mean'),
    psd=dict(loss_weight=0.05, aux_mask='same'),
    dare=dict(loss_weight=1.0, alpha=0.95, tau=0.5, difficulty_scale='balanced'),
    clfa=dict(type='CLFATerm', loss_weight=1.0, align_tokens='visible'),
)
