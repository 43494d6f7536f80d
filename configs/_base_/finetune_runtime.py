# The runtime of every fine-tuning: the best checkpoint is kept, start and labels are checked.
_base_ = './default_runtime.py'

default_hooks = dict(checkpoint=dict(save_best='acc/top1', rule='greater'))
custom_hooks = [dict(type='CheckBackboneHook'), dict(type='CheckLabelsHook')]
# Optional average of the weights, which MMEngine then validates and saves as `state_dict`:
#   custom_hooks = [
#       dict(type='CheckBackboneHook'), dict(type='CheckLabelsHook'),
#       dict(type='EMAHook', momentum=1e-4),
#   ]
