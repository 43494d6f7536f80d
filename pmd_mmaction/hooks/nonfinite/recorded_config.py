"""The config in a record: read without running anything that it names."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mmaction.registry
import mmengine.registry
from mmengine.config import Config
from mmengine.fileio.handlers import file_handlers
from mmengine.registry import Registry

# What a step needs of the config of a run.
KEYS = ('default_scope', 'model', 'optim_wrapper', 'train_dataloader')
PACKAGE = __name__.partition('.')[0]
REMEDY = 'give --config with the config of the run, if you trust it'


def read_config(text: str) -> Config:
    """The parts of a recorded config with which a step is run again.

    MMEngine builds whatever ``type`` names, ``os.system`` included, and imports what
    ``custom_imports`` lists. A record may come from elsewhere, so only registered components are
    accepted, and nothing is imported for it.

    Args:
        text: a Python literal.

    Raises:
        ValueError: if it is no literal, imports other packages, or names what is not registered.
    """
    try:
        content = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f'the recorded config is no literal: {REMEDY}') from error
    if not isinstance(content, dict) or not isinstance(content.get('model'), dict):
        raise ValueError(f'the recorded config has no model: {REMEDY}')
    imports = content.get('custom_imports') or {}
    if imports and (not isinstance(imports, dict) or imports.get('imports') != [PACKAGE]):
        raise ValueError(f'the recorded config imports more than {PACKAGE}: {REMEDY}')
    kept = {key: content[key] for key in KEYS if content.get(key) is not None}
    known = _registered()
    for name in _types([kept['model'], kept.get('train_dataloader')]):  # these are built
        scope, _, rest = name.rpartition('.') if isinstance(name, str) else ('', '', None)
        if rest not in known or scope not in ('', 'mmaction', 'mmcv', 'mmengine'):
            raise ValueError(
                f'the recorded config names {name!r}, which is not registered: {REMEDY}'
            )
    return Config(kept)


@contextmanager
def only_json() -> Iterator[None]:
    """MMEngine's ``load`` reads JSON and nothing else meanwhile.

    Registered data sets and heads of MMAction2 read the pickle or YAML file that a config names,
    and MMEngine runs what is in it.
    """
    others = {name: handler for name, handler in file_handlers.items() if name != 'json'}
    for name in others:
        del file_handlers[name]
    try:
        yield
    finally:
        file_handlers.update(others)


def _types(part: Any) -> Iterator[Any]:
    """Every ``type``, at any depth."""
    if isinstance(part, dict):
        if 'type' in part:
            yield part['type']
        part = part.values()
    elif not isinstance(part, (list, tuple)):
        return
    for inner in part:
        yield from _types(inner)


def _registered() -> set[str]:
    """Names in all registries of the stack; importing this package has filled them."""
    found, waiting = set(), []
    for module in (mmengine.registry, mmaction.registry):
        waiting += [part for part in vars(module).values() if isinstance(part, Registry)]
    while waiting:
        registry = waiting.pop()
        found |= set(registry.module_dict)
        waiting += registry.children.values()
    return found
