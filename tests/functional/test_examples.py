"""The examples in the docstrings of the equations, and that each equation has one."""

import doctest
import inspect

from pmd_mmaction import functional
from tests.every import every

RECORDS = {'GroupStatistics', 'Phase'}  # named tuples: nothing to compute
EQUATIONS = sorted({*functional.__all__} - RECORDS)
EXAMPLES = doctest.DocTestFinder(recurse=False)


@every('name', EQUATIONS)
def test_the_example_is_right(name):
    documented = getattr(functional, name)
    module = inspect.getmodule(documented)
    (test,) = EXAMPLES.find(documented, name, module)
    assert test.examples, f'{name} has no example'
    report = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert not report, ''.join(report)


@every('name', EQUATIONS)
def test_the_source_is_named(name):
    assert '\n    Source: ' in getattr(functional, name).__doc__
