"""Arguments that make no sense are refused when a component is built, in the same words.

A type says what fits: ``depth: Whole``, ``name: Text | None``, ``position: Annotated[str,
one_of(POSITIONS)]``; ``bool`` and ``Literal`` say it by themselves, and other types say nothing.
:func:`checked` holds the arguments of a constructor against these types, :func:`require` any other
value. Both raise ValueError for the first that does not fit: where it is, what it is, and what
would be right. Unknown keys are a TypeError, as Python raises for unknown arguments.
"""

import functools
import inspect
import math
import operator
import typing
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Callable, Collection, Iterable, Literal, Mapping, Sequence, Union

BOUNDS = dict(above=operator.gt, at_least=operator.ge, below=operator.lt, at_most=operator.le)


@dataclass(frozen=True, repr=False)
class Check:
    """What a value must be; it stands in a type, as ``Annotated[int, Check(...)]``.

    Args:
        words: what would be right, after "it must be".
        fits: whether a value is.
        parts: name and value to the names, values and checks of what it consists of.
    """

    words: str
    fits: Callable[[Any], object]
    parts: Callable[[str, Any], Iterable[tuple[str, object, 'Check']]] = lambda name, value: ()

    def __call__(self, where: object, name: str, value: object) -> None:
        """Raises ValueError if the value, or a part of it, does not fit."""
        if not self.fits(value):
            raise _error(where, f'{name} is {value!r}; it must be {self.words}')
        for part_name, part, check in self.parts(name, value):
            check(where, part_name, part)

    def __repr__(self) -> str:
        return self.words


def whole(minimum: int = 1) -> Check:
    """An integer >= ``minimum``; True and 2.0 are not integers."""
    return Check(
        f'a whole number, at least {minimum}',
        lambda x: isinstance(x, Integral) and not isinstance(x, bool) and x >= minimum,
    )


def number(**bounds: float) -> Check:
    """A finite number within bounds: ``above``, ``at_least``, ``below``, ``at_most``."""
    words = ' and '.join(f'{name.replace("_", " ")} {bound:g}' for name, bound in bounds.items())
    return Check(
        f'a number {words}'.rstrip(),
        lambda value: (
            isinstance(value, Real)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and all(BOUNDS[name](value, bound) for name, bound in bounds.items())
        ),
    )


def one_of(allowed: tuple[str | None, ...]) -> Check:
    """One of the allowed values."""
    return Check(f'one of {allowed}', lambda value: value in allowed)


def listed(words: str, each: Check, length: int | None = None) -> Check:
    """A list of values that fit ``each``: at least one, or ``length`` of them."""
    return Check(
        words,
        lambda x: isinstance(x, (list, tuple)) and x and length in (None, len(x)),
        lambda name, value: [(f'{name}[{i}]', part, each) for i, part in enumerate(value)],
    )


def colours(**bounds: float) -> Check:
    """Three numbers within the bounds of :func:`number`."""
    return listed('three numbers, one per colour', number(**bounds), 3)


def _as_list(value: object) -> Sequence:
    return value if isinstance(value, (list, tuple)) else [value]


# 'False' and None would pass for a truth value
_flag = Check('True or False', lambda value: isinstance(value, bool))
_text = Check('a non-empty string', lambda value: isinstance(value, str) and value)
_config = Check("dict(type='...', ...)", lambda x: isinstance(x, Mapping) and 'type' in x)

Whole = Annotated[int, whole()]
Count = Annotated[int, whole(0)]
Positive = Annotated[float, number(above=0)]
NonNegative = Annotated[float, number(at_least=0)]
Ratio = Annotated[float, number(above=0, below=1)]
Rate = Annotated[float, number(at_least=0, below=1)]
Share = Annotated[float, number(at_least=0, at_most=1)]
Text = Annotated[str, _text]
Texts = Annotated[
    str | Sequence[str],
    Check('a string or a list of strings', lambda value: all(map(_text.fits, _as_list(value)))),
]
Config = Annotated[dict, _config]
Configs = Annotated[
    dict | Sequence[dict],
    Check(
        "dict(type='...', ...), or a list of them",
        lambda value: True,
        lambda name, value: [(name, part, _config) for part in _as_list(value)],
    ),
]
Options = Annotated[
    Mapping[str, Any], Check('a dict of arguments', lambda value: isinstance(value, Mapping))
]
TokenGrid = Annotated[
    tuple[int, int, int],
    Check(
        'three numbers, tokens along (time, height, width)',
        lambda value: isinstance(value, (list, tuple)) and len(value) == 3,
        lambda name, value: zip(('time', 'height', 'width'), value, [whole()] * 3),
    ),
]
ClipSize = Annotated[
    tuple[int, int, int, int], listed('(channels, frames, height, width)', whole(), 4)
]
Widths = Annotated[
    Mapping[str, int],
    Check(
        'a dict of name to width',
        lambda value: isinstance(value, Mapping) and value,
        lambda name, value: [(f'{name}.{k}', width, whole()) for k, width in value.items()],
    ),
]


def checked(function: Callable) -> Callable:
    """Decorates a constructor: holds its arguments against the checks in their types.

    They are looked at before the body, in their order. Arguments behind ``**`` are somebody
    else's; whoever takes them checks them.
    """
    signature = inspect.signature(function)
    hints = typing.get_type_hints(function, include_extras=True)
    checks = {name: check for name in signature.parameters if (check := _check_in(hints.get(name)))}

    @functools.wraps(function)
    def wrapper(self: object, *args: object, **kwargs: object) -> object:
        try:
            given = signature.bind(self, *args, **kwargs).arguments
        except TypeError:  # which Python says in better words
            return function(self, *args, **kwargs)
        for name, check in checks.items():
            if name in given:
                check(self, name, given[name])
        return function(self, *args, **kwargs)

    return wrapper


def require(where: object, kind: object, /, **values: object) -> None:
    """Holds values against a type such as ``Whole`` or ``Text | None``.

    Args:
        where: the component, or its name, for the message.
        kind: the type.
        **values: by their names.
    """
    check = _check_in(kind)
    for name, value in values.items() if check else ():
        check(where, name, value)


def _check_in(kind: object) -> Check | None:
    """The check in a type, which passes None over if the type holds it; None if there is none."""
    origin, members = typing.get_origin(kind), typing.get_args(kind)
    if kind is bool:
        return _flag
    if origin is Literal:
        return one_of(members)
    if origin is Annotated:
        return next((x for x in kind.__metadata__ if isinstance(x, Check)), None)
    check = next(
        filter(None, map(_check_in, members if origin in (Union, UnionType) else ())), None
    )
    if check is None or NoneType not in members:
        return check
    return Check(
        check.words,
        lambda value: value is None or check.fits(value),
        lambda name, value: () if value is None else check.parts(name, value),
    )


def require_keys(
    where: object, allowed: Collection[str], required: Collection[str] = (), /, **values: object
) -> None:
    """Raises TypeError, as a call would, for no dict, an unknown key or a missing one.

    Args:
        where: the component, or its name, for the message.
        allowed: the keys; a dict of each to its type has the values checked.
        required: those that must be there.
        **values: dicts by their names.
    """
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
        for key, kind in allowed.items() if isinstance(allowed, Mapping) else ():
            require(where, kind, **{key: value[key]} if key in value else {})


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
    require(where, Whole, **sizes)
    *wholes, (part_name, part) = sizes.items()
    for name, whole in wholes:
        if whole % part:
            raise _error(where, f'{name}={whole} is not a multiple of {part_name}={part}')


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
