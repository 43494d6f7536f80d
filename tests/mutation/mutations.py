"""One wrong letter per equation: the list that ``run.py`` works through."""

from typing import NamedTuple

from tests.mutation.components import COMPONENTS
from tests.mutation.equations import EQUATIONS


class Mutation(NamedTuple):
    """A fault, and the tests that have to notice it.

    Attributes:
        what: the fault in words.
        old: text of the file; occurs exactly once.
        new: what stands there instead.
        path: file, from the root of the repository.
        tests: test file that must fail.
    """

    what: str
    old: str
    new: str
    path: str
    tests: str


MUTATIONS = [
    Mutation(what, old, new, f'pmd_mmaction/{path}', f'tests/{tests}')
    for (path, tests), rows in {**EQUATIONS, **COMPONENTS}.items()
    for what, old, new in rows
]
