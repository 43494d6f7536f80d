# The runtime of every fine-tuning: the best checkpoint is kept, the start is checked.
_base_ = './default_runtime.py'

default_hooks = dict(checkpoint=dict(save_best='acc/top1', rule='greater'))
custom_hooks = [dict(type='CheckBackboneHook')]
# Optional average of the weights, which MMEngine then validates and saves as `state_dict`:
#   custom_hooks = [dict(type='CheckBackboneHook'), dict(type='EMAHook', momentum=1e-4)]
