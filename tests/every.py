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
    assert rows, f'no row for {argument}: the test would prove nothing'

    def decorate(test: Callable) -> Callable:
        @functools.wraps(test)
        def test_all(**fixtures) -> None:
            errors = {}
            for row in rows:
                try:
                    test(**{argument: row}, **fixtures)
                except (Exception, pytest.fail.Exception) as error:
                    errors[name(row)] = error
            if errors:
                lines = [f'{row}: {type(e).__name__}: {e}' for row, e in errors.items()]
                first = next(iter(errors.values()))
                raise AssertionError(
                    '\n'.join([f'{len(errors)} of {len(rows)}', *lines])
                ) from first

        signature = inspect.signature(test)
        fixtures = [p for p in signature.parameters.values() if p.name != argument]
        test_all.__signature__ = signature.replace(parameters=fixtures)
        return test_all

    return decorate
