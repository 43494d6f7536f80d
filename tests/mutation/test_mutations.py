"""The table of mutations fits the source; ``run.py`` works through it."""

import ast
from collections import Counter
from pathlib import Path

import pmd_mmaction
from tests.every import every
from tests.mutation.mutations import MUTATIONS

TESTS = Path(__file__).parents[1]
SOURCE = Path(pmd_mmaction.__file__).parents[1]  # also where a wheel was installed


@every('mutation', MUTATIONS, name=lambda m: f'{m.path}: {m.what}')
def test_a_mutation_applies(mutation):
    source = SOURCE.joinpath(mutation.path).read_text(encoding='utf-8')
    assert source.count(mutation.old) == 1, f'not once: {mutation.old!r}'
    ast.parse(source.replace(mutation.old, mutation.new))
    assert TESTS.parent.joinpath(mutation.tests).is_file(), mutation.tests


def test_no_mutation_stands_twice():
    twice = Counter((m.path, m.old, m.new) for m in MUTATIONS)
    assert max(twice.values()) == 1
    assert max(Counter((m.path, m.what) for m in MUTATIONS).values()) == 1


def test_every_equation_has_its_mutations():
    modules = {path.name for path in SOURCE.joinpath('pmd_mmaction', 'functional').glob('*.py')}
    mutated = {Path(m.path).name for m in MUTATIONS if '/functional/' in m.path}
    assert modules - mutated == {'__init__.py'}
