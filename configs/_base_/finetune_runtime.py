# The runtime of every fine-tuning: the best checkpoint is kept, start and labels are checked.
_base_ = './default_runtime.py'

default_hooks = dict(
    # On another number of GPUs a warning tells how to keep steps and learning rate.
    plan=dict(ranks=8),
    checkpoint=dict(save_best='acc/top1', rule='greater'),
)
# Each rank draws mixup, cutmix and drop path of its own, as in VideoMAE's and MVD's code.
randomness = dict(diff_rank_seed=True)
custom_hooks = [dict(type='CheckBackboneHook'), dict(type='CheckLabelsHook')]
# Optional average of the weights, which MMEngine then validates and saves as `state_dict`:
#   custom_hooks = [
#       dict(type='CheckBackboneHook'), dict(type='CheckLabelsHook'),
#       dict(type='EMAHook', momentum=1e-4),
#   ]
