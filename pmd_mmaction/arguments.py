"""Arguments that make no sense are refused when a component is built, in the same words.

Each function takes the component (or its name) and arguments by their names, and raises ValueError
for the first that does not fit: where it is, what it is, and what would be right. Unknown keys are
a TypeError, as Python raises for unknown arguments.
"""

import inspect
import math
from numbers import Integral, Real
from typing import Collection, Mapping, Sequence


def require_whole(where: object, minimum: int = 1, /, **values: object) -> None:
    """Raises if not an integer >= ``minimum``; True and 2.0 are not integers."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
            raise _error(
                where, f'{name} is {value!r}; it must be a whole number, at least {minimum}'
            )


def require_number(
    where: object,
    /,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    **values: object,
) -> None:
    """Raises if not a finite number within the bounds."""
    for name, value in values.items():
        if not (
            isinstance(value, Real)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and (above is None or value > above)
            and (at_least is None or value >= at_least)
            and (below is None or value < below)
            and (at_most is None or value <= at_most)
        ):
            bounds = {'above': above, 'at least': at_least, 'below': below, 'at most': at_most}
            words = ' and '.join(
                f'{w} {bound:g}' for w, bound in bounds.items() if bound is not None
            )
            raise _error(where, f'{name} is {value!r}; it must be a number {words}'.rstrip())


def require_flag(where: object, /, **values: object) -> None:
    """Raises if neither True nor False: ``'False'`` and None would pass for one."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise _error(where, f'{name} is {value!r}; it must be True or False')


def require_one_of(where: object, allowed: tuple[str | None, ...], /, **values: object) -> None:
    """Raises if not one of the allowed values."""
    for name, value in values.items():
        if value not in allowed:
            raise _error(where, f'{name} is {value!r}; it must be one of {allowed}')


def require_text(where: object, /, **values: object) -> None:
    """Raises if not a non-empty string: names and paths."""
    for name, value in values.items():
        if not isinstance(value, str) or not value:
            raise _error(where, f'{name} is {value!r}; it must be a non-empty string')


def require_texts(where: object, /, **values: object) -> None:
    """Raises if neither a string nor a list of strings."""
    for name, value in values.items():
        listed = value if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(text, str) and text for text in listed):
            raise _error(where, f'{name} is {value!r}; it must be a string or a list of strings')


def require_config(where: object, /, **values: object) -> None:
    """Raises if not the config of a component."""
    for name, value in values.items():
        if not isinstance(value, Mapping) or 'type' not in value:
            raise _error(where, f"{name} is {value!r}; it must be dict(type='...', ...)")


def require_configs(where: object, /, **values: object) -> None:
    """Raises if neither the config of a component nor a list of them."""
    for name, value in values.items():
        for part in value if isinstance(value, (list, tuple)) else [value]:
            require_config(where, **{name: part})


def require_dict(where: object, /, **values: object) -> None:
    """Raises if not a dict: arguments for somebody else's function."""
    for name, value in values.items():
        if not isinstance(value, Mapping):
            raise _error(where, f'{name} is {value!r}; it must be a dict of arguments')


def require_keys(
    where: object, allowed: Collection[str], required: Collection[str] = (), /, **values: object
) -> None:
    """Raises TypeError, as a call would, for no dict, an unknown key or a missing one."""
    words = ', '.join(allowed)
    for name, value in values.items():
        if not isinstance(value, Mapping):
            raise _error(where, f'{name} is {value!r}; it must be a dict of {words}', TypeError)
        unknown = [key for key in value if key not in allowed]
        if unknown:
            raise _error(
                where, f'{name} has an unknown key {unknown[0]!r}; it takes {words}', TypeError
            )
        missing = [key for key in required if key not in value]
        if missing:
            raise _error(where, f'{name} is {dict(value)}; it lacks {missing[0]!r}', TypeError)


def argument_names(kind: type) -> list[str]:
    """Named arguments of a class, with those of the parents that it passes others on to."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found: dict[str, None] = {}
    for parent in kind.__mro__:
        if '__init__' in vars(parent) and parent is not object:
            parameters = inspect.signature(parent.__init__).parameters.values()
            found |= {p.name: None for p in parameters if p.kind in named and p.name != 'self'}
            if not any(p.kind is p.VAR_KEYWORD for p in parameters):
                break
    return list(found)


def require_divisible(where: object, /, **sizes: object) -> None:
    """Raises unless each size is a multiple of the last one."""
    require_whole(where, **sizes)
    *wholes, (part_name, part) = sizes.items()
    for name, whole in wholes:
        if whole % part:
            raise _error(where, f'{name}={whole} is not a multiple of {part_name}={part}')


def require_token_grid(where: object, token_grid: object, /) -> None:
    """Raises if not a grid of tokens."""
    if not isinstance(token_grid, (list, tuple)) or len(token_grid) != 3:
        raise _error(
            where,
            f'token_grid is {token_grid!r}; it must be three numbers, tokens along (time, height, '
            'width)',
        )
    time, height, width = token_grid
    require_whole(where, time=time, height=height, width=width)


def require_channels(
    where: object, /, *, above: float | None = None, **values: Sequence[float]
) -> None:
    """Raises if not a list of three numbers, one per colour."""
    for name, value in values.items():
        if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence) or len(value) != 3:
            raise _error(where, f'{name} is {value!r}; it must be three numbers, one per colour')
        for position, number in enumerate(value):
            require_number(where, above=above, **{f'{name}[{position}]': number})


def height_and_width(where: object, /, **size: object) -> tuple[object, object]:
    """Height and width of one number for both, or of two; the numbers are not looked at."""
    ((name, value),) = size.items()
    if isinstance(value, (list, tuple)):
        if len(value) != 2:
            raise _error(where, f'{name} is {value!r}; it must be one number, or (height, width)')
        return value[0], value[1]
    return value, value


def _error(where: object, message: str, kind: type[Exception] = ValueError) -> Exception:
    name = where if isinstance(where, str) else type(where).__name__
    return kind(f'{name}: {message}')
