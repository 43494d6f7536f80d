# PMD, ViT-L, two masks per clip: half the epochs and half the clips per GPU give the passes and
# steps of the student in the paper's schedule, with half the passes of the teachers and half the
# decoding. Ours, not the paper's.
#   tools/dist_train.sh configs/pmd/vit-l_k400_pretrain_masks2.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (8 clips each, four times per step). Time and accuracy: not yet
# run.
_base_ = './vit-l_k400_pretrain.py'

model = dict(num_masks=2)
train_dataloader = dict(batch_size=8)
default_hooks = dict(
    curriculum=dict(phases=[(0.75, 50), (0.80, 50), (0.85, 50), (0.90, 50)]),
    difficulty=dict(stage_epochs=16),
)
auto_scale_lr = dict(base_batch_size=32)  # clips, which are 64 passes
