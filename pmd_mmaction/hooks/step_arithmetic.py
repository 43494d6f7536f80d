"""The videos of an optimiser step: ranks, batch size, accumulation and learning rate."""

from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook

from pmd_mmaction.contracts import find_hook, iterations_per_step
from pmd_mmaction.hooks.unwrapped_model import plain_model


def check_accumulation(runner) -> None:
    """Refuses gradient accumulation that would change the learning rate or lose gradients."""
    steps = iterations_per_step(runner)
    length = len(runner.train_dataloader)
    if length % steps:
        raise ValueError(
            f'an epoch of {length} iterations is not a multiple of accumulative_counts={steps}: '
            'gradients would be left over at the end of a phase; set train_dataloader.'
            f"batch_sampler=dict(type='WholeStepBatchSampler', accumulative_counts={steps}) and "
            'drop_last=False, or change the batch size or accumulative_counts'
        )
    saving = find_hook(runner, CheckpointHook)
    by_iteration = saving is not None and not saving.by_epoch and saving.interval > 0
    if by_iteration and (saving.interval % steps or saving.save_begin % steps):
        raise ValueError(
            f'a checkpoint every {saving.interval} iterations would be saved between two steps of '
            f'accumulative_counts={steps}, and lose the gradients: set '
            f'default_hooks.checkpoint.interval and save_begin to multiples of {steps}'
        )
    scaling = _scaling(runner)
    counted = scaling.get('accumulative_counts', 1)
    if scaling.get('enable') and counted != steps:
        raise ValueError(
            f'auto_scale_lr counts accumulative_counts={counted}, optim_wrapper has {steps}, and '
            'MMEngine scales by the clips of one iteration alone: divide auto_scale_lr.'
            f'base_batch_size by {steps} and confirm it with auto_scale_lr.accumulative_counts='
            f'{steps}, or set auto_scale_lr.enable=False and give optimizer.lr for the total batch '
            '(base rate x ranks x clips x steps / 256)'
        )


def _scaling(runner) -> dict:
    """What ``auto_scale_lr`` says; empty without it."""
    names = 'auto_scale_lr', '_auto_scale_lr'  # of the Runner, of the FlexibleRunner
    return next((vars(runner)[name] for name in names if vars(runner).get(name)), {})


def log_batch(runner) -> None:
    """Logs the batch arithmetic."""
    loader = runner.train_dataloader
    videos, ranks = loader.batch_sampler.batch_size, get_world_size()
    repeats = getattr(loader.dataset, 'num_repeats', 1)  # of repeated augmentation
    masks = getattr(plain_model(runner), 'num_masks', 1)
    accumulation = iterations_per_step(runner)
    runner.logger.info(
        f'Total batch {ranks * videos * repeats * accumulation} = {ranks} rank(s) x '
        f'{videos * repeats} clips x {accumulation} accumulation step(s), learning rate '
        f'{_rate(runner):.3g}, {len(loader)} iterations per epoch'
        + (f', {repeats} clips per video and epoch' if repeats > 1 else '')
        + (f', {masks} passes of the student per clip' if masks > 1 else '')
    )
    if _scaling(runner).get('enable') and repeats * masks > 1:
        runner.logger.info(
            f'auto_scale_lr counted {ranks * videos} videos per iteration, not the '
            f'{ranks * videos * repeats * masks} passes of the student that they get: '
            'base_batch_size is in videos'
        )


def _rate(runner) -> float:
    """The highest learning rate of a parameter; that of the wrapper is not scaled."""
    groups = getattr(runner.optim_wrapper, 'optimizer', runner.optim_wrapper).param_groups
    return max(group.get('initial_lr', group['lr']) for group in groups)


def warn_of_other_steps(runner, meant: int) -> None:
    """Tells of a number of GPUs that makes other steps of the config, and how to keep them."""
    scaling, ranks = _scaling(runner), get_world_size()
    if ranks == meant or not scaling.get('enable'):
        return
    batch, steps = runner.train_dataloader.batch_sampler.batch_size, iterations_per_step(runner)
    base = scaling['base_batch_size'] * steps
    kept = same_step(ranks, meant, batch, steps, base)
    remedy = f'--cfg-options {_options(*kept, steps, base, ranks)} keeps them' if kept else ''
    runner.logger.warning(
        f'The config is meant for {meant} GPUs: steps of {meant * batch * steps} videos and a '
        f'learning rate of {_rate(runner) * meant / ranks:.3g}. On {ranks} they are '
        f'{ranks * batch * steps} and {_rate(runner):.3g}. {remedy or "No batch size keeps them"}; '
        f'if it is what you want, default_hooks.plan.ranks={ranks} says so'
    )


def same_step(
    ranks: int, meant: int, batch: int, accumulation: int, base: int
) -> tuple[int, int] | None:
    """Batch size and accumulation with which ``ranks`` GPUs take the step of ``meant`` GPUs.

    Args:
        ranks: GPUs that there are.
        meant: GPUs that the config was written for.
        batch: its videos on a GPU in an iteration; no more fit.
        accumulation: its iterations of a step.
        base: its ``auto_scale_lr.base_batch_size`` times ``accumulation``.

    Returns:
        The largest batch size, with as few iterations as it takes; None if the step, or ``base``,
        cannot be divided.

    Example:
        >>> same_step(ranks=64, meant=8, batch=64, accumulation=2, base=256)
        (16, 1)
        >>> same_step(ranks=2, meant=8, batch=64, accumulation=2, base=256)
        (64, 8)
    """
    videos = meant * batch * accumulation
    fewest = max(1, -(-videos // (ranks * batch)))
    for steps in range(fewest, videos // ranks + 1):
        if videos % (ranks * steps) == 0 and base % steps == 0:
            return videos // (ranks * steps), steps
    return None


def _options(batch: int, steps: int, steps_before: int, base: int, ranks: int) -> str:
    """What changes batch size and accumulation on a command line."""
    options = {'default_hooks.plan.ranks': ranks, 'train_dataloader.batch_size': batch}
    if steps != steps_before:
        options |= {
            'train_dataloader.batch_sampler.type': 'WholeStepBatchSampler',
            'train_dataloader.batch_sampler.accumulative_counts': steps,
            'train_dataloader.drop_last': False,
            'optim_wrapper.accumulative_counts': steps,
            'auto_scale_lr.accumulative_counts': steps,
            'auto_scale_lr.base_batch_size': base // steps,
        }
    return ' '.join(f'{name}={value}' for name, value in options.items())
