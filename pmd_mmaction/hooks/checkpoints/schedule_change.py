"""Resuming with schedulers of another shape than those of the checkpoint."""

from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

# What makes a schedule; the rest of its state says where it is.
LATER = ('end', 'T_max', 'total_iters', 'end_factor', 'eta_min', 'eta_min_ratio')
SHAPE = ('begin', 'by_epoch', 'start_factor', *LATER)
REMEDY = (
    'MMEngine goes on with that of the checkpoint. Resume with its phases and schedule, or start '
    'afresh from its weights: load_from with resume=False, or prev_student of ProgressivePhaseHook'
)


def adapt_schedulers(checkpoint: dict, runner) -> None:
    """Gives schedulers that are still to begin the shape that the config has now.

    Args:
        checkpoint: its iterations already those of the current batches; modified in place.
        runner: with the schedulers of the current run.

    Raises:
        ValueError: if a schedule that has begun is another one now.
    """
    states, fresh = checkpoint.get('param_schedulers'), runner.param_schedulers
    if not states or not fresh or not isinstance(fresh, list):
        return  # a constant rate, or several optimisers
    if not all(isinstance(scheduler, _ParamScheduler) for scheduler in fresh):
        return  # not built yet
    meta, now = checkpoint['meta'], [scheduler.state_dict() for scheduler in fresh]
    for new in now:  # as if it had made the steps of the checkpoint
        new['_global_step'] = meta['epoch' if new['by_epoch'] else 'iter']
    kept = min(len(states), len(now))
    if any(_until(item) <= 0 for item in (*states[kept:], *now[kept:])):
        raise ValueError(
            f'the checkpoint has {len(states)} schedulers, the config makes {len(now)}: {REMEDY}'
        )
    for state, new, scheduler in zip(states, now, fresh):
        _adapt(state, new, type(scheduler).__name__)
    checkpoint['param_schedulers'] = [*states[:kept], *now[kept:]]


def _adapt(state: dict, new: dict, name: str) -> None:
    same_kind = all((key in state) == (key in new) for key in SHAPE)
    changed = [key for key in SHAPE if key in new and state.get(key) != new[key]]
    over = all(item['end'] <= item['_global_step'] for item in (state, new))
    if same_kind and (not changed or over):
        return
    # what begins here has taken its first value, which the later ones follow from
    begins = _until(state) == _until(new) == 0
    to_come = min(_until(state), _until(new)) > 0
    may_change = to_come or (begins and set(changed) <= {*LATER, 'begin'})
    if not (same_kind and may_change):
        told = ', '.join(f'{key} {state.get(key)} -> {new[key]}' for key in changed)
        raise ValueError(f'{name} has begun and is changed: {told}. {REMEDY}')
    state.update({key: new[key] for key in (*changed, '_global_step')})


def _until(scheduler: dict) -> int:
    """Steps until a scheduler begins; 0: it begins now."""
    return scheduler['begin'] - scheduler['_global_step']
