# AMD with PMD's curriculum and DARE: mask ratios rise, and difficult patches weigh more in the
# error of the pixels. Nobody has published it. 646 GFLOPs a pass, half of PMD's 1279: the teacher,
# a ViT-L, sees a quarter of the patches.
#   tools/dist_train.sh configs/amd/vit-b_k400_pretrain_pmd.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each, four times per step). Not yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(terms=[*_base_.model.terms, dict(type='DARETerm', teachers=['pixel'])])
# The teacher sees 25 %, so phases begin at 80 %. An epoch shows each video four times: 8 epochs are
# the 32 visits of DARE's first stage in the paper.
default_hooks = dict(
    curriculum=dict(phases=[(0.80, 60), (0.85, 60), (0.90, 80)]),
    difficulty=dict(stage_epochs=8),
)
work_dir = 'work_dirs/amd_vit-b_k400_pretrain_pmd'
