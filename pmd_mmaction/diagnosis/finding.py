"""Result of a check."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        subject: what was checked.
        level: ``'ok'``, ``'warning'`` (training can start) or ``'error'``.
        found: what was found.
        remedy: what to do; empty if all is well.
    """

    subject: str
    level: str
    found: str
    remedy: str = ''


def judge(subject: str, good: bool, found: str, remedy: str, bad: str = 'error') -> Finding:
    """A finding that is ``'ok'``, or ``bad`` with its remedy."""
    return Finding(subject, 'ok', found) if good else Finding(subject, bad, found, remedy)


def in_gb(size: float) -> str:
    """Bytes in human-readable form."""
    return f'{size / 1e9:.2f} GB'


def first_line(error: Exception) -> str:
    """First line of an error's message."""
    return str(error).strip().partition('\n')[0] or type(error).__name__


def at_least(value: object, least: int) -> int:
    """A whole number of a config, raised to ``least``; ``least`` for anything else."""
    return max(value, least) if isinstance(value, int) else least
