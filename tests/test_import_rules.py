"""Which part of the package may import which; read from the source, nothing is executed."""

import ast
import functools
import sys
from pathlib import Path

import pmd_mmaction
from tests.every import every

PACKAGE = Path(pmd_mmaction.__file__).parent  # also where a wheel was installed
NAME = PACKAGE.name

# Part of the package -> other parts that it may import. The root file registers everything.
ALLOWED = {
    'arguments': set(),
    'state_dicts': set(),
    'storage': set(),
    'transfer': set(),
    'teacher_configs': set(),
    'functional': {'arguments'},
    'contracts': {'functional'},
    'child_process': set(),
    'cpu_cores': set(),
    'dare': {'storage'},
    'models': {
        'arguments',
        'contracts',
        'functional',
        'state_dicts',
        'teacher_configs',
        'transfer',
    },
    'local_rank': set(),
    'optim': set(),
    'hooks': {
        'arguments',
        'contracts',
        'cpu_cores',
        'dare',
        'functional',
        'optim',
        'state_dicts',
        'storage',
        'transfer',
        'visualization',
    },
    'convert': {'arguments', 'functional', 'storage'},
    'visualization': {'functional', 'storage'},
    'readers': {'arguments'},
    'transforms': {'arguments', 'functional', 'readers'},
    'datasets': {'arguments', 'functional', 'storage', 'transforms'},
    'curation': {'arguments', 'datasets', 'readers', 'storage', 'transforms'},
    'evaluation': {'arguments', 'functional', 'state_dicts', 'storage', 'teacher_configs'},
    'runner': {'arguments', 'contracts', 'functional'},
    'compat': set(),
    'diagnosis': {
        'compat',
        'contracts',
        'dare',
        'datasets',
        'functional',
        'hooks',
        'runner',
        'storage',
        'teacher_configs',
    },
    'version': set(),
    'shipped': set(),
    'tool_errors': set(),
    'folder': {'child_process', 'cpu_cores', 'curation', 'datasets', 'shipped', 'storage'},
    'report': {
        'dare',
        'diagnosis',
        'evaluation',
        'functional',
        'models',
        'storage',
        'teacher_configs',
        'version',
        'visualization',
    },
    'registry': set(),
    '__main__': {'shipped'},
    '': {
        'compat',
        'datasets',
        'evaluation',
        'hooks',
        'models',
        'optim',
        'runner',
        'transforms',
        'version',
        'visualization',
    },
}
# Parts that know nothing but these libraries, apart from the standard one.
PURE = {part: {'numpy', 'torch'} for part in ('functional', 'dare', 'transfer')}


@functools.cache
def read_package(root: Path = PACKAGE) -> dict[str, str]:
    """Module name to source."""
    sources = {}
    for path in sorted(set(root.rglob('*.py')) - set(root.joinpath('.mim').rglob('*.py'))):
        parts = [NAME, *path.relative_to(root).with_suffix('').parts]
        name = '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)
        sources[name] = path.read_text(encoding='utf-8')
    return sources


@functools.cache
def imported_names(module: str, source: str, is_package: bool) -> set[str]:
    """Absolute names of everything that a module imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ''
            if node.level:
                parents = module.split('.')
                keep = len(parents) - node.level + is_package
                base = '.'.join([*parents[:keep], *filter(None, [base])])
            names |= {f'{base}.{alias.name}' for alias in node.names}
        elif isinstance(node, ast.Call) and node.args:
            function = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            called = function.id if isinstance(function, ast.Name) else function
            if called in ('import_module', '__import__'):
                target = node.args[0]
                names.add(target.value if isinstance(target, ast.Constant) else '?')
    return names


def edges(sources: dict[str, str]) -> list[tuple[str, str]]:
    """Pairs (module, imported module of the package or outside library)."""
    result = []
    for module, source in sources.items():
        is_package = any(other.startswith(f'{module}.') for other in sources)
        for name in sorted(imported_names(module, source, is_package)):
            if name.split('.')[0] == NAME:
                while name not in sources and name != NAME:
                    name = name.rpartition('.')[0]  # a function or class, not a module
            result.append((module, name))
    return result


def part_of(module: str) -> str:
    return module.split('.')[1] if '.' in module else ''


def forbidden_imports(sources: dict[str, str]) -> list[str]:
    """Every import that breaks a rule."""
    found = []
    for module, target in edges(sources):
        part, library = part_of(module), target.split('.')[0]
        if library == NAME:
            allowed = part_of(target) in {part, *ALLOWED.get(part, ())} and target != NAME
        else:
            allowed = part not in PURE or library in PURE[part] | sys.stdlib_module_names
        if not allowed:
            found.append(f'{module} imports {target}')
    return found


def cycles(sources: dict[str, str]) -> list[str]:
    """Modules that import themselves over others."""
    graph = {module: set() for module in sources}
    for module, target in edges(sources):
        if target in graph and target != module:
            graph[module].add(target)

    def reached(start):
        seen, waiting = set(), [*graph[start]]
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                waiting += graph[module]
        return seen

    return [module for module in graph if module in reached(module)]


# --- the package ---


def test_every_part_has_a_rule():
    parts = {part_of(module) for module in read_package()}
    assert parts <= set(ALLOWED)


def test_no_forbidden_imports():
    assert forbidden_imports(read_package()) == []


def test_no_cycles():
    assert cycles(read_package()) == []


def test_no_file_is_named_after_nothing():
    names = {name for module in read_package() for name in module.split('.')}
    assert not names & {'utils', 'util', 'helpers', 'helper', 'common', 'misc'}


# --- the rules themselves ---


@every(
    'row',
    [
        ('functional.a', 'import mmengine'),
        ('functional.a', 'from mmaction.registry import MODELS'),
        ('functional.a', 'from pmd_mmaction.models import x'),
        ('functional.a', 'import pmd_mmaction'),
        ('functional.a', 'from pmd_mmaction import __version__'),
        ('dare.a', 'import mmengine.dist'),
        ('dare.a', 'from pmd_mmaction.functional import x'),
        ('models.a', 'from pmd_mmaction.hooks import x'),
        ('models.a', 'def f():\n    from pmd_mmaction.dare import x'),
        ('models.a', 'from ..hooks import x'),
        ('models.a', 'from .. import hooks'),
        ('models.a', 'import importlib\nimportlib.import_module("pmd_mmaction.hooks")'),
        ('models.a', 'from pmd_mmaction.compat import x'),
        ('models.a', 'from pmd_mmaction import compat'),
        ('hooks.a', 'from pmd_mmaction.models.recognizers import x'),
        ('hooks.a', 'from pmd_mmaction import models'),
        ('datasets.a', 'from pmd_mmaction.dare import x'),
        ('convert.a', 'import pmd_mmaction.models'),
        ('visualization.a', 'from pmd_mmaction.dare import x'),
        ('evaluation.a', 'from pmd_mmaction.models import x'),
        ('compat.a', 'from pmd_mmaction.functional import x'),
        ('optim.a', 'from pmd_mmaction.hooks import x'),
        ('new_part.a', 'from pmd_mmaction.functional import x'),
    ],
)
def test_a_forbidden_import_is_found(row):
    module, source = row
    sources = {**read_package(), f'{NAME}.{module}': source}
    assert len(forbidden_imports(sources)) == 1


@every(
    'row',
    [
        ('functional.a', 'import math\nimport torch.nn.functional as F\nimport numpy as np'),
        ('functional.a', 'from pmd_mmaction.functional.masking import split_mask'),
        ('models.a', 'import timm\nfrom pmd_mmaction.functional import split_mask'),
        ('models.a', 'from .maskers import Masker\nfrom ..functional import split_mask'),
        ('hooks.a', 'from pmd_mmaction.dare import table_file\nimport mmengine'),
        ('datasets.a', 'from pmd_mmaction.functional import derive_seed'),
    ],
)
def test_an_allowed_import_is_accepted(row):
    module, source = row
    assert forbidden_imports({**read_package(), f'{NAME}.{module}': source}) == []


def test_a_cycle_is_found():
    sources = {
        NAME: '',
        f'{NAME}.a': 'from pmd_mmaction.b import x',
        f'{NAME}.b': 'def f():\n    from pmd_mmaction import c',
        f'{NAME}.c': 'from .a import y',
        f'{NAME}.d': 'from .a import y',
    }
    assert cycles(sources) == [f'{NAME}.{x}' for x in 'abc']
