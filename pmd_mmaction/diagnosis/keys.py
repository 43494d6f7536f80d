"""Misspelt settings of a config, which MMEngine would ignore."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from inspect import signature

from mmengine.config import Config
from mmengine.runner import Runner

from pmd_mmaction.compat.tf32 import ENV_KEYS
from pmd_mmaction.diagnosis.finding import Finding

# Top-level settings that the Runner and the tools read.
KNOWN = [
    *(key for key in signature(Runner).parameters if key != 'cfg'),
    *('compile', 'custom_imports', 'find_unused_parameters', 'model_wrapper_cfg', 'sync_bn'),
]
# The same for sections whose unknown settings MMEngine ignores.
SECTIONS = {
    'auto_scale_lr': ['enable', 'base_batch_size', 'accumulative_counts'],
    'env_cfg': [*ENV_KEYS, 'tf32'],
    'optim_wrapper.paramwise_cfg': [
        *('custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'flat_decay_mult'),
        *('dwconv_decay_mult', 'dcn_offset_lr_mult', 'bypass_duplicate'),
        *('decay_rate', 'decay_type', 'num_layers'),  # LearningRateDecayOptimizerConstructor
    ],
}


def examine_keys(cfg: Mapping) -> Iterator[Finding]:
    """Finds names that differ by a letter or two from a setting of MMEngine.

    MMEngine ignores unknown names at the top level of a config, since configs define variables
    there, and in some sections.
    """
    yield from _misspelt('', cfg, KNOWN, cutoff=0.85)
    for path, known in SECTIONS.items():
        section = cfg
        for key in path.split('.'):
            section = section.get(key) if isinstance(section, (Config, Mapping)) else None
        if isinstance(section, Mapping):  # a config may hold anything
            yield from _misspelt(f'{path}.', section, known, cutoff=0.7)


def _misspelt(where: str, section: Mapping, known: list[str], cutoff: float) -> Iterator[Finding]:
    for key in section:
        meant = get_close_matches(str(key), known, 1, cutoff)
        if key not in known and meant:
            text = f'{where}{key} is not a setting of MMEngine'
            yield Finding('config', 'warning', text, f'write {where}{meant[0]}?')
