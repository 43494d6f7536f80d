# The runtime of every Kinetics-400 pre-training: a checkpoint every five epochs.
# A checkpoint and its difficulty table are 4.5 GB and stop all GPUs for five seconds or more, of an
# epoch that may take 86 (docs/reliability.md). A crash costs five epochs at most, a preemption none
# (PreemptionHook). Phases end at multiples of 5, so each has a checkpoint of its last epoch.
# Where an epoch takes an hour: --cfg-options default_hooks.checkpoint.interval=1
_base_ = './default_runtime.py'

default_hooks = dict(checkpoint=dict(interval=5))
