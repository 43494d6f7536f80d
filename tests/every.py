"""One property of many rows as one case, which names every row that lacks it."""

import functools
import inspect
from collections.abc import Callable, Iterable

import pytest


def every(argument: str, rows: Iterable, name: Callable[[object], str] = str) -> Callable:
    """Decorator of a test: runs it with each row in turn and lists all rows where it fails.

    In place of ``pytest.mark.parametrize`` where a row takes milliseconds. The rows share the
    fixtures of the one case.

    Args:
        argument: name of the test's argument that takes the row.
        rows: at least one.
        name: what a row is called in the list.
    """
    rows = list(rows)

    def decorate(test: Callable) -> Callable:
        @functools.wraps(test)
        def test_all(**fixtures) -> None:
            check_every(rows, lambda row: test(**{argument: row}, **fixtures), name)

        signature = inspect.signature(test)
        fixtures = [p for p in signature.parameters.values() if p.name != argument]
        test_all.__signature__ = signature.replace(parameters=fixtures)
        return test_all

    return decorate


def check_every(rows: Iterable, check: Callable, name: Callable[[object], str] = str) -> None:
    """Calls ``check`` with each row, of which there must be one, and lists all that fail."""
    rows, errors = list(rows), []
    assert rows, 'no row: nothing would be proven'
    for row in rows:
        try:
            check(row)
        except (Exception, SystemExit, pytest.fail.Exception, pytest.skip.Exception) as error:
            errors.append((name(row), error))
    if errors:
        lines = [f'{row}: {type(error).__name__}: {error}' for row, error in errors]
        head = f'{len(errors)} of {len(rows)} fail'
        raise AssertionError('\n'.join([head, *lines])) from errors[0][1]
