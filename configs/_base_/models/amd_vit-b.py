# AMD: a ViT-B that sees 10 % of the patches learns from two layers of VideoMAE's ViT-L, which sees
# 25 %, and from the pixels.
_base_ = './videomae_vit-b.py'

model = dict(
    views=dict(teacher=dict(mask_ratio=0.75)),
    teachers=dict(
        vid=dict(
            type='VideoMAETeacher',
            view='teacher',
            target_norm='none',
            last_norm=False,
            checkpoint='data/teachers/videomae_vit-l_k400_pretrain.pth',
            embed_dims=1024,
            depth=24,
            num_heads=16,
            **_base_.grid,
        )
    ),
    terms=[
        dict(type='PixelTerm'),
        dict(
            type='LayerPairTerm',
            teachers=['vid'],
            pairs=[(5, 11), (11, 23)],
            # Nothing trains the mask tokens in AMD's code.
            generator=dict(depth=2, train_mask_token=False),
        ),
    ],
)
