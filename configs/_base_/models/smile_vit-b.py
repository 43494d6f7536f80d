# SMILE, ViT-B: a VideoMAE student that learns the patch features of CLIP ViT-B/16, normalised per
# clip and channel, from two tube masks of each clip. 16 frames of 224 px: N = 1568 patches.
_base_ = './videomae_vit-b.py'

model = dict(
    teachers=dict(
        _delete_=True,
        img=dict(
            type='TimmImageTeacher',
            # OpenAI's weights; they were trained with this activation
            model_name='vit_base_patch16_clip_quickgelu_224.openai',
            checkpoint='data/teachers/clip_vit-b-16_openai.safetensors',
            num_frames=16,
            tubelet_size=2,
            target_norm='channel_norm',
            normalization='data',  # ImageNet's mean and std, as SMILE; not CLIP's
        ),
    ),
    num_masks=2,
    mask_choice='permuted',
    terms=[dict(type='BaseTerm')],
)
