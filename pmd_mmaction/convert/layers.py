"""Checks that a state dict has all layers, with the same weights and biases in each."""

import re
from typing import Collection, Iterable


def read_layers(keys: Iterable[str], prefix: str) -> tuple[int, set[str]]:
    """The number of layers, and the weights of each.

    Args:
        keys: keys of a state dict.
        prefix: prefix of the layers, such as ``'backbone.blocks.'``.

    Returns:
        Number of layers; the keys of one layer without their prefix.

    Raises:
        ValueError: if there is no layer, one is missing, or one lacks what another has.
    """
    names: dict[int, set[str]] = {}
    for key in keys:
        match = re.fullmatch(rf'{re.escape(prefix)}(\d+)\.(.*)', key)
        if match:
            names.setdefault(int(match[1]), set()).add(match[2])
    if sorted(names) != list(range(len(names))) or not names:
        raise ValueError(f'its layers are {sorted(names)}, not all of 0 ... {len(names) - 1}')
    every = set().union(*names.values())
    for layer, found in sorted(names.items()):
        if found != every:
            raise ValueError(f'layer {layer} is not complete: missing {sorted(every - found)}')
    return len(names), every


def check_pairs(keys: Collection[str], modules: Iterable[str]) -> None:
    """Refuses a weight without its bias, or a bias without its weight.

    Args:
        keys: keys of a state dict.
        modules: names of modules that have both, if they exist at all.

    Raises:
        ValueError: naming the missing one.
    """
    for module in modules:
        lost = [key for part in ('weight', 'bias') if (key := f'{module}.{part}') not in keys]
        if len(lost) == 1:
            raise ValueError(f'it lacks {lost[0]}')
