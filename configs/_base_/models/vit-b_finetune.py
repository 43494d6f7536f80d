# ViT-B with one linear layer on the mean of the tokens, 16 frames of 224 px.
# A child sets the blending and num_classes, which the base file of its data set names.
model = dict(
    type='Recognizer3D',
    data_preprocessor=dict(
        type='ClipPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    backbone=dict(
        type='MaskedVisionTransformer',
        img_size=224,
        patch_size=16,
        num_frames=16,
        tubelet_size=2,
        embed_dims=768,
        depth=12,
        num_heads=12,
        drop_path_rate=0.1,
        position='sincos_3d',
        # True stores one layer at a time and computes each again in the backward pass.
        activation_checkpointing=False,
    ),
    cls_head=dict(
        type='Float32TimeSformerHead',
        in_channels=768,
        # VideoMAE draws with 0.02 and multiplies by 0.001
        init_std=2e-5,
        label_smooth_eps=0.1,
        average_clips='prob',
    ),
)
