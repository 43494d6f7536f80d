"""Columns of a list file: a path, or a path and a label."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pmd_mmaction.datasets.video_suffixes import VIDEO_SUFFIXES, is_named_as_video

_LABELLED = re.compile(r'(.*\S)\s+(-?\d+)')
_SUFFIX = '|'.join(re.escape(suffix) for suffix in VIDEO_SUFFIXES)
_NAME_AND_MORE = re.compile(rf'(.*(?:{_SUFFIX})["\']?)([\s,;|:].*)', re.IGNORECASE)
_RULE = (
    'every line must be a path alone, or a path, white space and the label as a last column, a '
    "whole number: mend the list (docs/data.md, 'List files')"
)


class ListLine(NamedTuple):
    """One line of a list.

    Attributes:
        number: line number, from 1.
        path: path as written.
        label: the label; None in a list without labels.
    """

    number: int
    path: str
    label: int | None


def read_columns(lines: Iterable[str], exists: Callable[[str], bool]) -> list[ListLine]:
    """Separates paths and labels; empty lines are ignored.

    If every line ends with white space and an integer, these are labels, unless all complete
    lines exist as files. Otherwise every complete line is a path, which may contain spaces; lines
    that look like a malformed list of labels are refused.

    Args:
        lines: lines of the list.
        exists: whether a path exists; a line that exists as a file is a path.

    Raises:
        ValueError: naming the first line with another separator or number of columns, a header,
            or a missing label.
    """
    plain = [
        ListLine(number, _trim(line.rstrip('\r\n'), exists), None)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    matches = [_LABELLED.fullmatch(line.path) for line in plain]
    if all(matches) and not all(exists(line.path) for line in plain):
        plain = [ListLine(x.number, m[1], int(m[2])) for x, m in zip(plain, matches)]
        _refuse_columns(plain, exists)
        return plain
    labelled = {x.number for x, m in zip(plain, matches) if m and _is_labelled(x.path, m, exists)}
    _refuse_columns([line for line in plain if line.number not in labelled], exists)
    if labelled:
        _refuse_mixture(plain, labelled)
    _refuse_header(plain, exists)
    return plain


def _trim(line: str, exists: Callable[[str], bool]) -> str:
    """The line without surrounding white space, unless that is part of a file name."""
    return line if line == line.strip() or exists(line) else line.strip()


def _is_labelled(path: str, match: re.Match, exists: Callable[[str], bool]) -> bool:
    """Whether the number at the end is a label rather than part of the name."""
    return not exists(path) and _columns_after(match[1], exists) is None


def _columns_after(path: str, exists: Callable[[str], bool]) -> str | None:
    """The text after the name of a video, as in ``a.mp4,0`` or ``a.mp4 117``."""
    if is_named_as_video(path):
        return None
    match = _NAME_AND_MORE.fullmatch(path) or _LABELLED.fullmatch(path)
    return match[2] if match and not exists(path) else None


def _refuse_columns(lines: list[ListLine], exists: Callable[[str], bool]) -> None:
    for line in lines:
        columns = _columns_after(line.path, exists)
        if columns is not None:
            shown = line.path if line.label is None else f'{line.path} {line.label}'
            raise ValueError(
                f'line {line.number}: {shown!r} has {columns.strip()!r} as a column after the '
                f'path; {_RULE}'
            )


def _refuse_mixture(lines: list[ListLine], labelled: set[int]) -> None:
    """Names the line that differs from most."""
    with_label = next(line for line in lines if line.number in labelled)
    without = next(line for line in lines if line.number not in labelled)
    if 2 * len(labelled) < len(lines):
        odd, other, difference = with_label, without, 'has a label as a last column'
    else:
        odd, other, difference = without, with_label, 'has no label as a last column'
    raise ValueError(
        f'line {odd.number}: {odd.path!r} {difference}, unlike line {other.number}, '
        f'{other.path!r}; {_RULE}'
    )


def _refuse_header(lines: list[ListLine], exists: Callable[[str], bool]) -> None:
    """Refuses a first line that is not a video if all others are named as videos."""
    first, *others = [line.path for line in lines] or ['']
    if others and not is_named_as_video(first) and all(map(is_named_as_video, others)):
        if not exists(first):
            raise ValueError(
                f'line {lines[0].number}: {first!r} is not a video; a list has no line with the '
                f'names of its columns, and {_RULE}'
            )
