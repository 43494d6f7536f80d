"""What an examination gives."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        subject: what was looked at.
        level: ``'ok'``, ``'warning'`` (a training starts, but) or ``'error'``.
        found: what was seen.
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
    """Bytes as people read them."""
    return f'{size / 1e9:.2f} GB'


def first_line(error: Exception) -> str:
    """What an error says at first."""
    return str(error).strip().partition('\n')[0] or type(error).__name__
