"""Differences between the config of a resumed run and that of its checkpoint."""

import ast
from collections.abc import Iterator

from pmd_mmaction.hooks.checkpoints.batch_change import PROGRESS_KEY, batch_arithmetic

# These say where and how a run is started, not what it does.
PLACE = {'work_dir', 'load_from', 'resume', 'launcher', 'experiment_name', 'log_level'}
# These lie in the groups of the optimiser.
TYPE = 'optim_wrapper.optimizer.type'
RESTORED = ('optim_wrapper.optimizer.', 'optim_wrapper.paramwise_cfg')
SHOWN = 40  # changes that are listed


def warn_of_changes(checkpoint: dict, runner) -> None:
    """Logs how the config differs from that in the checkpoint to resume from."""
    before = checkpoint['meta'].get('cfg')
    if not isinstance(before, str):  # written by another tool
        return
    changes = config_changes(before, runner.cfg.pretty_text)
    total_batch = batch_arithmetic(runner)['total_batch']
    same_batch = checkpoint.get(PROGRESS_KEY, {}).get('total_batch') == total_batch
    kept = [line for line in changes if is_restored(line, same_batch)]
    used = [line for line in changes if line not in kept]
    if used:
        runner.logger.warning(
            'The config differs from that in the checkpoint; the run uses the current one:'
            + _listed(used)
        )
    if kept:
        runner.logger.warning(
            'The run keeps these from the checkpoint, whose optimiser it goes on with; to change '
            'them start afresh from its weights, with load_from and resume=False, or with '
            'prev_student of ProgressivePhaseHook:' + _listed(kept)
        )


def is_restored(change: str, same_batch: bool) -> bool:
    """Whether a setting stays that of the checkpoint, since MMEngine restores the optimiser.

    Args:
        change: of :func:`config_changes`.
        same_batch: whether the total batch is as before; only another one scales the rate again.
    """
    restored = RESTORED + (('auto_scale_lr.',) if same_batch else ())
    return change.startswith(restored) and not change.startswith(TYPE)


def _listed(changes: list[str]) -> str:
    more = [f'and {len(changes) - SHOWN} more'] if len(changes) > SHOWN else []
    return ''.join(f'\n  {line}' for line in changes[:SHOWN] + more)


def config_changes(before: str, now: str) -> list[str]:
    """The settings that differ, as ``hooks.1.phases.0.epochs: 100 -> 50``.

    Args:
        before: text of a config (``Config.pretty_text``), as it is in a checkpoint.
        now: text of the current run's config.
    """
    old, new = _settings(before), _settings(now)
    names = [name for name in old | new if name.split('.')[0] not in PLACE]
    return [
        f'{name}: {old.get(name, "not there")} -> {new.get(name, "not there")}'
        for name in names
        if old.get(name) != new.get(name)
    ]


def _settings(text: str) -> dict[str, str]:
    """Text of each setting, however it is formatted; nothing is evaluated."""
    try:
        body = ast.parse(text).body
        return {
            name: value
            for node in body
            if isinstance(node, ast.Assign)
            for name, value in _flat(ast.unparse(node.targets[0]), node.value)
        }
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return {}


def _flat(name: str, node: ast.expr) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Call) and not node.args and node.keywords:
        parts = [(keyword.arg, keyword.value) for keyword in node.keywords]
    elif isinstance(node, ast.Dict) and node.keys:
        parts = [(getattr(key, 'value', '**'), value) for key, value in zip(node.keys, node.values)]
    elif isinstance(node, (ast.List, ast.Tuple)) and node.elts:
        parts = list(enumerate(node.elts))
    else:
        yield name, ast.unparse(node)
        return
    for key, value in parts:
        yield from _flat(f'{name}.{key}', value)
