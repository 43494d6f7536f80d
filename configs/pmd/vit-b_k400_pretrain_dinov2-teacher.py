# PMD with DINOv2 ViT-B/14 as the image teacher; frames of 196 px give its patches our grid.
#   tools/dist_train.sh configs/pmd/vit-b_k400_pretrain_dinov2-teacher.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(
    image_teacher=dict(
        model_name='vit_base_patch14_dinov2.lvd142m',
        checkpoint='data/teachers/dinov2_vit-b-14.safetensors',
        frame_size=224,
        model_kwargs=dict(img_size=196),
    )
)
