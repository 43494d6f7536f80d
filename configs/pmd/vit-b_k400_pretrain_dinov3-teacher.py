# PMD with DINOv3 ViT-B/16 as the image teacher.
#   tools/dist_train.sh configs/pmd/vit-b_k400_pretrain_dinov3-teacher.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(
    image_teacher=dict(
        model_name='vit_base_patch16_dinov3.lvd1689m',
        checkpoint='data/teachers/dinov3_vit-b-16.safetensors',
        model_kwargs=dict(img_size=224),
    )
)
