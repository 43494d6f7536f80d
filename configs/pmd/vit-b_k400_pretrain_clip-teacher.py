# PMD with OpenAI's CLIP ViT-B/16, SMILE's teacher, as the image teacher instead of MAE, under PMD's
# layer norm, not SMILE's norm per channel.
#   tools/dist_train.sh configs/pmd/vit-b_k400_pretrain_clip-teacher.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(
    image_teacher=dict(
        model_name='vit_base_patch16_clip_quickgelu_224.openai',
        checkpoint='data/teachers/clip_vit-b-16_openai.safetensors',
    )
)
