# PMD that decodes half of the masked patches (running cells, as VideoMAE V2), Kinetics-400,
# 4 x 100 epochs. Nobody has published it.
#   tools/dist_train.sh configs/pmd/vit-b_k400_pretrain_dual-masking.py 8 --amp
# Hardware: 8 GPUs of 80 GB assumed (64 clips each). Time and accuracy: not yet run.
_base_ = './vit-b_k400_pretrain.py'

model = dict(views=dict(decode=dict(type='RunningCellMasker', mask_ratio=0.5)))
