"""Rows of the acceptance on a GPU: a value, what it must be, and whether it is."""

from pathlib import Path
from typing import NamedTuple

import torch


class Row(NamedTuple):
    """One line of the report.

    Attributes:
        name: what was looked at.
        value: what was found.
        threshold: what was asked for, as text; empty: a figure that nothing was asked of.
        passed: whether it is so.
        note: what helps to read the value.
    """

    name: str
    value: float | str | bool
    threshold: str = ''
    passed: bool = True
    note: str = ''


class Settings(NamedTuple):
    """What all parts are told.

    Attributes:
        device: ``'cuda'`` or ``'cpu'``.
        tiny: sizes of a rehearsal, in which no time or speed is judged.
        scratch: folder for what the parts write; it is removed at the end.
    """

    device: str
    tiny: bool
    scratch: Path

    def timed(self, name: str, value: float, most: float, note: str = '') -> Row:
        """A time, or a ratio of times, that is judged on a GPU at full size alone."""
        if self.tiny or self.device == 'cpu':
            return Row(name, value, note=note)
        return at_most(name, value, most, note)


def at_most(name: str, value: float, most: float, note: str = '') -> Row:
    """A number with an upper limit; NaN is above it."""
    return Row(name, value, f'<= {most:g}', value <= most, note)


def at_least(name: str, value: float, least: float, note: str = '') -> Row:
    """A number with a lower limit; NaN is below it."""
    return Row(name, value, f'>= {least:g}', value >= least, note)


def holds(name: str, value: bool, note: str = '') -> Row:
    """Something that is so or is not."""
    return Row(name, bool(value), 'True', bool(value), note)


def free_memory() -> None:
    """Gives the GPU's cached memory back, and starts its peak anew."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
