"""Optimiser and learning rate at a phase boundary."""

from collections.abc import Iterator

from mmengine.optim import OptimWrapper, OptimWrapperDict, ZeroRedundancyOptimizer


def check_restartable(runner, boundaries: list[int]) -> None:
    """Refuses schedules that a restart would break.

    Args:
        runner: the Runner, its schedulers built.
        boundaries: first epochs of the second and later phases.

    Raises:
        TypeError: for several optimisers, or one whose state is not accessible.
        ValueError: naming the scheduler that runs across a boundary.
    """
    # OptimWrapperDict calls itself an OptimWrapper, but has no optimizer.
    if isinstance(runner.optim_wrapper, OptimWrapperDict):
        raise TypeError(
            'restart=True works with one optimiser, not with '
            f'{type(runner.optim_wrapper).__name__}: set restart=False'
        )
    # It keeps the moments in an inner optimiser and leaves its own state empty.
    if isinstance(runner.optim_wrapper.optimizer, ZeroRedundancyOptimizer):
        raise TypeError(
            'restart=True cannot clear the moments of ZeroRedundancyOptimizer, which also hangs '
            'when MMEngine saves a checkpoint (docs/scaling.md): use the plain optimizer'
        )
    for name, begin, end in _spans(runner):
        for epoch in boundaries:
            if begin < epoch < end:
                raise ValueError(
                    f'{name} runs across epoch {epoch}, where a new phase '
                    'restarts the learning rate: give each phase its own schedulers (begin and '
                    'end at the boundaries), or set restart=False in ProgressivePhaseHook'
                )


def check_coverage(runner, starts: list[int], total: int) -> None:
    """Refuses schedulers that leave a phase or the last epochs uncovered.

    Args:
        runner: the Runner, its schedulers built.
        starts: first epochs of the phases.
        total: epochs of the run.

    Raises:
        ValueError: naming the gap.
    """
    spans = list(_spans(runner))
    if not spans:  # a constant learning rate
        return
    begins, end = {begin for _, begin, _ in spans}, max(end for _, _, end in spans)
    bare = [epoch for epoch in starts if epoch not in begins]
    if bare or end < total:
        gap = f'none begins at epoch {bare[0]}' if bare else f'they end at epoch {end:g} of {total}'
        raise ValueError(
            f'the schedulers do not fit the phases: {gap}. Give schedule=dict(...) to the '
            'ProgressivePhaseHook and no param_scheduler, as configs/_base_/schedules/pmd.py does'
        )


def _spans(runner) -> Iterator[tuple[str, float, float]]:
    """Name, begin and end, in epochs, of every scheduler."""
    schedulers = runner.param_schedulers or []
    if isinstance(schedulers, dict):
        schedulers = [s for group in schedulers.values() for s in group]
    for scheduler in schedulers:
        unit = 1 if scheduler.by_epoch else len(runner.train_dataloader)
        yield type(scheduler).__name__, scheduler.begin / unit, scheduler.end / unit


def restart_optimizer(optim_wrapper: OptimWrapper) -> None:
    """Clears the moments and restores the initial learning rates.

    Called before the schedulers' step, so that a scheduler that begins at the boundary (they
    multiply the current rate) starts from the initial rate.
    """
    optim_wrapper.zero_grad()
    optim_wrapper.optimizer.state.clear()
    for group in optim_wrapper.param_groups:
        group['lr'] = group.get('initial_lr', group['lr'])
