"""Checkpoints of runs with MMEngine's EMAHook."""

from mmengine.hooks import EMAHook

from pmd_mmaction.contracts import find_hook


def restore_trained_weights(checkpoint: dict, runner) -> None:
    """Puts the trained weights back into the checkpoint of a run that is resumed without EMAHook.

    The hook saves the average as ``state_dict`` and the trained weights as ``ema_state_dict``, and
    nothing else swaps them back.

    Args:
        checkpoint: content of the checkpoint; changed in place.
        runner: the Runner that resumes from it.
    """
    if 'ema_state_dict' not in checkpoint or find_hook(runner, EMAHook) is not None:
        return
    state, trained = checkpoint['state_dict'], checkpoint.pop('ema_state_dict')
    for key in state:
        state[key] = trained.get(f'module.{key}', state[key])
    runner.logger.warning(
        'The checkpoint is of a run with EMAHook, which this config leaves out: the run goes on '
        'from the trained weights, and their average is dropped'
    )
