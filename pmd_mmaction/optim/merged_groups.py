"""Merges parameter groups with equal settings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# These identify a group, or are factors that its learning rate and decay already include.
_NO_SETTINGS = ('params', 'param_names', 'group_name', 'lr_mult', 'decay_mult')


def merge_groups(
    groups: Iterable[Mapping[str, Any]], defaults: Mapping[str, Any]
) -> tuple[list[dict], list[int]]:
    """Merges groups with equal settings.

    The host's time for a step grows with the number of groups, since one set of kernels processes
    all parameters of a group.

    Args:
        groups: parameter groups of an optimizer, or of its state.
        defaults: settings that a group may leave out.

    Returns:
        The groups in the order of their first parameters, and for each of them the index of the
        first given group that it contains.
    """
    merged: list[dict] = []
    settings_of: list[dict] = []
    firsts: list[int] = []
    for i, group in enumerate(groups):
        settings = {**defaults, **{k: v for k, v in group.items() if k not in _NO_SETTINGS}}
        if settings not in settings_of:
            settings_of.append(settings)
            firsts.append(i)
            merged.append({**settings, 'params': [], 'names': set()})
        whole = merged[settings_of.index(settings)]
        whole['params'] += group['params']
        whole['names'].add(group.get('group_name'))
    _name(merged)
    return merged, firsts


def _name(groups: Sequence[dict]) -> None:
    """Names each group by its layer, if it belongs to one, and by its decay."""
    taken: dict[str, int] = {}
    for group in groups:
        names = group.pop('names')
        decay = 'decay' if group.get('weight_decay') else 'no_decay'
        name = (names.pop() if len(names) == 1 else None) or decay
        taken[name] = taken.get(name, 0) + 1
        group['group_name'] = name if taken[name] == 1 else f'{name}_{taken[name]}'
