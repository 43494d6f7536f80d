"""Resuming with schedulers of another shape than those of the checkpoint."""

from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

SHAPE = ('begin', 'end', 'by_epoch', 'T_max', 'total_iters', 'start_factor', 'end_factor')
SHAPE += ('eta_min', 'eta_min_ratio')
REMEDY = (
    'MMEngine goes on with that of the checkpoint. Resume with its phases and schedule, or start '
    'afresh from its weights: load_from with resume=False, or prev_student of ProgressivePhaseHook'
)


def adapt_schedulers(checkpoint: dict, runner) -> None:
    """Gives schedulers that are still to begin the shape that the config has now.

    Args:
        checkpoint: its batches already those of the current run; modified in place.
        runner: with the schedulers of the current run.

    Raises:
        ValueError: if a schedule that has begun is another one now.
    """
    states, fresh = checkpoint.get('param_schedulers'), runner.param_schedulers
    if not states or not isinstance(fresh, list) or not isinstance(fresh[0], _ParamScheduler):
        return  # a constant rate, several optimisers, or not built yet
    if len(states) != len(fresh):
        raise ValueError(
            f'the checkpoint has {len(states)} schedulers, the config makes {len(fresh)}: {REMEDY}'
        )
    for state, scheduler in zip(states, fresh):
        now = scheduler.state_dict()
        shape = {key: now[key] for key in SHAPE if key in now and key in state}
        changed = {key: (state[key], new) for key, new in shape.items() if state[key] != new}
        done = checkpoint['meta']['epoch' if now['by_epoch'] else 'iter']
        if not changed or max(state['end'], now['end']) <= done:
            continue
        if min(state['begin'], now['begin']) <= done:
            told = ', '.join(f'{key} {old} -> {new}' for key, (old, new) in changed.items())
            raise ValueError(
                f'{type(scheduler).__name__} has begun and is changed: {told}. {REMEDY}'
            )
        state.update(shape)
