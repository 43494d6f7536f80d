# PMD, ViT-L with ViT-L teachers, Kinetics-400, 4 x 100 epochs, steps of 512 clips as MVD's.
#   tools/dist_train.sh configs/pmd/vit-l_k400_pretrain.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (16 clips each, four times per step). Time and accuracy: not yet
# run.
_base_ = './vit-b_k400_pretrain.py'

vit_l = dict(embed_dims=1024, depth=24, num_heads=16)
model = dict(
    backbone=vit_l,
    image_teacher=dict(
        model_name='vit_large_patch16_224.mae',
        checkpoint='data/teachers/mae_pretrain_vit_large.pth',
    ),
    video_teacher=dict(checkpoint='data/teachers/videomae_vit-l_k400_pretrain.pth', **vit_l),
    decoder=dict(embed_dims=512, depth=4),
)
train_dataloader = dict(
    batch_size=16,
    batch_sampler=dict(type='WholeStepBatchSampler', accumulative_counts=4),
    drop_last=False,  # the batch sampler does
)
optim_wrapper = dict(accumulative_counts=4)
# MMEngine counts the 128 clips of one iteration: 64 of them are 256 of a step.
auto_scale_lr = dict(base_batch_size=64, accumulative_counts=4)
