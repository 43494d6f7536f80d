"""Settings of a config that MMEngine would leave unread."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from inspect import signature

from mmengine.runner import Runner

from pmd_mmaction.diagnosis.finding import Finding

# What a Runner and the tools read of the top of a config.
KNOWN = [
    *(key for key in signature(Runner).parameters if key != 'cfg'),
    *('compile', 'custom_imports', 'find_unused_parameters', 'model_wrapper_cfg', 'sync_bn'),
]


def examine_keys(cfg: Mapping) -> Iterator[Finding]:
    """Names at the top of a config that differ by a letter or two from a setting.

    MMEngine ignores what it does not know there, since configs have variables of their own.
    """
    for key in cfg:
        meant = get_close_matches(key, KNOWN, 1, cutoff=0.85)
        if key not in KNOWN and meant:
            yield Finding(
                'config', 'warning', f'{key} is no setting of MMEngine', f'write {meant[0]}?'
            )
