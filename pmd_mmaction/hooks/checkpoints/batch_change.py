"""Resuming with a different number of ranks or a different batch size."""

from mmengine.dist import get_world_size
from mmengine.runner import EpochBasedTrainLoop

from pmd_mmaction.contracts import iterations_per_step

PROGRESS_KEY = 'progress'


def batch_arithmetic(runner) -> dict:
    """The batch arithmetic that a checkpoint records."""
    loader = runner.train_dataloader
    accumulation = iterations_per_step(runner)
    ranks = get_world_size()
    return dict(
        epoch_length=len(loader),
        total_batch=ranks * loader.batch_sampler.batch_size * accumulation,
        ranks=ranks,
        samples=len(loader.dataset),
    )


def adapt_checkpoint(checkpoint: dict, runner) -> None:
    """Converts a checkpoint to the current epoch length, before the Runner reads it.

    With the same total batch and epoch length nothing changes, whatever the number of ranks (with
    other accumulation an epoch has other iterations). Otherwise iteration
    counts and schedulers are converted to where a run with the current batches would be after
    the same number of epochs (within one iteration during a warm-up). The learning rate is scaled
    only with ``auto_scale_lr.enable``.

    Args:
        checkpoint: modified in place.
        runner: its loop, schedulers and data are those of the current run.

    Raises:
        ValueError: if it was saved inside an epoch of another length, or with other data.
    """
    if not isinstance(runner.train_loop, EpochBasedTrainLoop):
        return
    old, new, meta = checkpoint.get(PROGRESS_KEY), batch_arithmetic(runner), checkpoint['meta']
    if old is None:  # saved by another hook, always at the end of an epoch
        check_epoch_length(meta['epoch'], meta['iter'], new['epoch_length'])
        return
    ranks = f'{old["ranks"]} rank(s) before, {new["ranks"]} now'
    _check_data(old, new, meta, ranks)
    if (old['epoch_length'], old['total_batch']) == (new['epoch_length'], new['total_batch']):
        if old['ranks'] != new['ranks']:
            runner.logger.info(f'{ranks}; the total batch is {new["total_batch"]} as before')
        return
    meta['iter'] = meta['iter'] // old['epoch_length'] * new['epoch_length']
    ratio = new['total_batch'] / old['total_batch']
    scaled = bool((runner.auto_scale_lr or {}).get('enable'))
    peak = _rescale(checkpoint, runner, old['epoch_length'], new['epoch_length'], ratio, scaled)
    lengths = f'{old["epoch_length"]} iterations per epoch before, {new["epoch_length"]} now'
    if ratio == 1:
        runner.logger.info(f'{ranks}; {lengths}; the total batch is {new["total_batch"]} as before')
        return
    runner.logger.warning(
        f'Total batch {old["total_batch"]} before, {new["total_batch"]} now ({ranks}); '
        f'{lengths}. Linear '
        f'scaling implies a peak learning rate of {peak * ratio:.4g} instead of {peak:.4g}: '
        + (
            'applied, since auto_scale_lr is enabled'
            if scaled
            else f'it stays {peak:.4g}; --auto-scale-lr or auto_scale_lr.enable=True applies it'
        )
    )


def _check_data(old: dict, new: dict, meta: dict, ranks: str) -> None:
    """Refuses other data, and other batches inside an epoch."""
    if old['samples'] != new['samples']:
        raise ValueError(
            f'the checkpoint was trained with {old["samples"]} samples, the data set has '
            f'{new["samples"]} now: resume with the same data set, or start afresh from the '
            'weights with load_from and resume=False'
        )
    same = all(old[key] == new[key] for key in ('epoch_length', 'total_batch'))
    if not same and meta['iter'] % old['epoch_length']:
        raise ValueError(
            f'the checkpoint was saved inside epoch {meta["epoch"] + 1} with a total batch of '
            f'{old["total_batch"]} in {old["epoch_length"]} iterations per epoch, now it is '
            f'{new["total_batch"]} in {new["epoch_length"]} ({ranks}): the rest of the '
            'epoch would have other clips. Resume from a checkpoint at the end of an epoch, or '
            'with the old ranks, total batch (train_dataloader.batch_size) and accumulation'
        )


def _rescale(
    checkpoint: dict, runner, old_length: int, new_length: int, ratio: float, scaled: bool
) -> float:
    """Converts schedulers and, if ``scaled``, learning rates; returns the old peak rate."""
    groups = (
        checkpoint.get('optimizer', {}).get('param_groups') or runner.optim_wrapper.param_groups
    )
    peak = max(group.get('initial_lr', group['lr']) for group in groups)
    if scaled and 'optimizer' in checkpoint:
        _scale(groups, ('lr', 'initial_lr'), ratio)
    for state, fresh in zip(checkpoint.get('param_schedulers', []), runner.param_schedulers or []):
        _translate(state, fresh.state_dict(), old_length, new_length)
        if scaled and fresh.param_name == 'lr':
            _scale([state], ('base_values', '_last_value'), ratio)
    return peak


def check_epoch_length(epoch: int, iteration: int, length: int) -> None:
    """Refuses a checkpoint saved inside an epoch whose length it does not record.

    Raises:
        ValueError: with the remedy.
    """
    if iteration != epoch * length:
        raise ValueError(
            f'the checkpoint was saved at epoch {epoch} after {iteration} iterations, but an epoch '
            f'has {length} iterations now, and the schedulers keep the old length: resume with '
            'the same data set and the same total batch (ranks x clips), or use '
            'SafeCheckpointHook, whose checkpoints can change it'
        )


def _translate(state: dict, fresh: dict, old_length: int, new_length: int) -> None:
    """Gives a scheduler's state the spans of the current run; counters keep their epoch."""
    if state['by_epoch'] or state['end'] * new_length != fresh['end'] * old_length:
        return  # it counts epochs, or the config gives its span in iterations
    done = state['_global_step'] * new_length // old_length
    begin, end = fresh['begin'], fresh['end']
    kept = {key: state[key] for key in ('base_values', '_last_value')}
    state.update(fresh, _global_step=done, last_step=max(min(done, end - 1) - begin, -1), **kept)


def _scale(dicts: list[dict], keys: tuple[str, ...], ratio: float) -> None:
    """Multiplies numbers, or lists of numbers, by a ratio."""
    for item in dicts:
        for key in keys:
            if isinstance(item.get(key), list):
                item[key] = [value * ratio for value in item[key]]
            elif key in item:
                item[key] *= ratio
