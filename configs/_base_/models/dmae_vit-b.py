# DMAE carried over to clips, ViT-B: pixels, and layer 9 of 12 aligned with layer 18 of 24 of a
# VideoMAE ViT-L that sees the same visible patches. 16 frames of 224 px: N = 1568 patches.
_base_ = './videomae_vit-b.py'

model = dict(
    teachers=dict(
        _delete_=True,
        vid=dict(
            type='VideoMAETeacher',
            checkpoint='data/teachers/videomae_vit-l_k400_pretrain.pth',
            embed_dims=1024,
            depth=24,
            num_heads=16,
            view='student',
            target_norm='none',
            **_base_.grid,
        ),
        pixel=dict(type='PixelTeacher', normalize=False, scale='data'),
    ),
    decoder=dict(embed_dims=512, depth=8, num_heads=16, embed_bias=True),
    terms=[
        dict(type='PixelTerm'),
        dict(type='UnitAlignmentTerm', student_layer=8, teacher_layer=17, teachers=['vid']),
    ],
)
