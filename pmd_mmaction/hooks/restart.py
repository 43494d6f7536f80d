"""Optimiser and learning rate at a phase boundary."""

from mmengine.optim import OptimWrapper, OptimWrapperDict


def check_restartable(runner, boundaries: list[int]) -> None:
    """Refuses schedules that a restart would break.

    Args:
        runner: the Runner, its schedulers built.
        boundaries: first epochs of the second and later phases.

    Raises:
        TypeError: for several optimisers.
        ValueError: naming the scheduler that runs across a boundary.
    """
    # OptimWrapperDict calls itself an OptimWrapper, but has no optimizer.
    if isinstance(runner.optim_wrapper, OptimWrapperDict):
        raise TypeError(
            'restart=True works with one optimiser, not with '
            f'{type(runner.optim_wrapper).__name__}: set restart=False'
        )
    schedulers = runner.param_schedulers or []
    if isinstance(schedulers, dict):
        schedulers = [s for group in schedulers.values() for s in group]
    for scheduler in schedulers:
        unit = 1 if scheduler.by_epoch else len(runner.train_dataloader)
        for epoch in boundaries:
            if scheduler.begin < epoch * unit < scheduler.end:
                raise ValueError(
                    f'{type(scheduler).__name__} runs across epoch {epoch}, where a new phase '
                    'restarts the learning rate: give each phase schedulers of its own (begin and '
                    'end at the boundaries), or set restart=False in ProgressivePhaseHook'
                )


def restart_optimizer(optim_wrapper: OptimWrapper) -> None:
    """Forgets the moments and goes back to the initial learning rates.

    Called before the schedulers' step, so that a scheduler that begins at the boundary (they
    work by factors on the present rate) starts from the initial rate.
    """
    optim_wrapper.optimizer.state.clear()
    for group in optim_wrapper.param_groups:
        group['lr'] = group.get('initial_lr', group['lr'])
