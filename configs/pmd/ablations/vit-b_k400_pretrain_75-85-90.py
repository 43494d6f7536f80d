# Ablation, ViT-B, Kinetics-400: three phases, 75, 85 and 90 %.
#   tools/dist_train.sh configs/pmd/ablations/vit-b_k400_pretrain_75-85-90.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain_75-80-90.py'

ratios = (0.75, 0.85, 0.90)
epochs = (100, 100, 200)
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(
        type='ProgressivePhaseHook',
        phases=[dict(mask_ratio=r, epochs=n) for r, n in zip(ratios, epochs)],
    ),
    dict(type='DAREHook', stage_epochs=32),
]
