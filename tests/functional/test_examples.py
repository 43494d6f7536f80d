"""The examples in the docstrings of the equations, and that each equation has one."""

import doctest
import inspect

import pytest

from pmd_mmaction import functional

RECORDS = {'GroupStatistics', 'Phase'}  # named tuples: nothing to compute
EXAMPLES = doctest.DocTestFinder(recurse=False)


@pytest.mark.parametrize('name', sorted({*functional.__all__} - RECORDS))
def test_the_example_is_right(name):
    documented = getattr(functional, name)
    module = inspect.getmodule(documented)
    (test,) = EXAMPLES.find(documented, name, module)
    assert test.examples, f'{name} has no example'
    report = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert not report, ''.join(report)


@pytest.mark.parametrize('name', sorted({*functional.__all__} - RECORDS))
def test_the_source_is_named(name):
    assert '\n    Source: ' in getattr(functional, name).__doc__
